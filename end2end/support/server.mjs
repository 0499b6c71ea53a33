// Starts the demo as a person would, only from the root folder, with a fresh data folder and on free ports.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.BATCHDESK_PROGRAM ?? fileURLToPath(new URL("../../target/debug/batchdesk", import.meta.url));

async function freePort() {
  const server = createServer();
  await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/**
 * @param {string[]} flags flags of `batchdesk demo`
 * @param {string} [log] file for everything that it says
 * @returns {Promise<{url: string, folder: string, stop: () => Promise<void>}>}
 */
export async function startDemo(flags = [], log) {
  const folder = await mkdtemp(join(tmpdir(), "batchdesk-e2e-"));
  // PostgreSQL runs as another user when this is root, and must be able to reach its folder.
  await chmod(folder, 0o755);
  const url = `http://127.0.0.1:${await freePort()}`;
  const env = {
    ...process.env,
    BATCHDESK_LISTEN: new URL(url).host,
    BATCHDESK_SIMULATOR_LISTEN: `127.0.0.1:${await freePort()}`,
    BATCHDESK_DATA_DIR: join(folder, "data"),
  };
  for (const name of ["DATABASE_URL", "BATCHDESK_PUBLIC_URL", "BATCHDESK_SECRET_KEY", "BATCHDESK_METRICS_LISTEN"]) delete env[name];
  const server = spawn(PROGRAM, ["demo", ...flags], { cwd: "/", env, stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  const kept = log && createWriteStream(log);
  const ended = new Promise((done) => server.once("exit", (code, signal) => done(code ?? signal)));
  const ready = new Promise((done, failed) => {
    server.once("error", failed);
    for (const stream of [server.stdout, server.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said.push(line);
        kept?.write(`${line}\n`);
        if (line.startsWith(`Batchdesk is ready at ${url}`)) done();
      });
    }
    ended.then((how) => failed(new Error(`batchdesk demo ended with ${how}:\n${said.join("\n")}`)));
    setTimeout(() => failed(new Error(`batchdesk demo was not ready within 90 s:\n${said.join("\n")}`)), 90_000).unref();
  });
  const stop = async () => {
    server.kill("SIGINT");
    const late = setTimeout(() => server.kill("SIGKILL"), 20_000);
    const how = await ended;
    clearTimeout(late);
    if (kept) await new Promise((done) => kept.end(done));
    await rm(folder, { recursive: true, force: true });
    if (how !== 0 && how !== 130) throw new Error(`batchdesk demo did not stop cleanly (${how}):\n${said.slice(-40).join("\n")}`);
  };
  try {
    await ready;
  } catch (error) {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return { url, folder, stop };
}
