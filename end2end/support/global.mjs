// One demo for the whole run; the tests make their own batches and never count other people's.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDemo } from "./server.mjs";

const results = fileURLToPath(new URL("../test-results", import.meta.url));

export default async function start() {
  mkdirSync(results, { recursive: true });
  const log = `${results}/demo.log`;
  const demo = await startDemo(["--latency-ms", "5..20"], log);
  process.env.BATCHDESK_URL = demo.url;
  process.env.BATCHDESK_LEDGER = join(demo.folder, "data", "simulator-ledger.jsonl");
  return async () => {
    await demo.stop();
    // Whatever the pages showed: nothing on the server may have broken.
    const broken = readFileSync(log, "utf8").split("\n").filter((line) => /panicked|http\.panicked| ERROR /.test(line));
    if (broken.length > 0) throw new Error(`The server broke while the tests ran:\n${broken.join("\n")}`);
  };
}
