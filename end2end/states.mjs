// Pictures of a batch in each state that is not final: what stands there, why, and what comes next.
//   node states.mjs [FOLDER]     without FOLDER into end2end/screenshots/states
import { chromium } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDemo } from "./support/server.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("screenshots/states", import.meta.url));
const LIST = "/batch/batch-refunds";
const HEADER = `order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,${Array.from({ length: 10 }, (_, at) => `udf${at + 1}`)}`;
const SCREENS = [
  { width: 1280, height: 1000, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
];

process.env.BATCHDESK_RESOLVE_AFTER_MS ??= "40000";
const demo = await startDemo(["--latency-ms", "20..60"]);
const run = JSON.parse(await readFile(join(demo.folder, "data", "run.json"), "utf8"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const headers = { origin: demo.url };
let orders = 0;

/** Signed in, with a page for each screen and a session beside them. */
async function person(email) {
  const enter = async (options) => {
    const context = await browser.newContext({ baseURL: demo.url, reducedMotion: "reduce", ...options });
    const form = { email, password: "batchdesk-demo" };
    const answer = await context.request.post("/login", { form, headers, maxRedirects: 0 });
    if (answer.status() !== 303) throw new Error(`${email} is not signed in: ${answer.status()}`);
    return context;
  };
  const pages = [];
  for (const { width, height, colorScheme } of SCREENS) {
    const context = await enter({ viewport: { width, height }, colorScheme });
    pages.push(await context.newPage());
  }
  return { pages, request: (await enter({})).request };
}

async function post(who, path, form) {
  const answer = await who.request.post(path, { headers, form, maxRedirects: 0 });
  if (answer.status() !== 303) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`);
}

/** A batch of `rows` refunds for each of these kinds of orders; Globex works without a checker. */
async function batch(who, name, kinds, rows = 3) {
  const lines = kinds.flatMap((kind) => Array.from({ length: rows }, () => `${kind}${(orders += 1)},${199 + (orders % 9) * 100}.00${",".repeat(17)}`));
  const answer = await who.request.post(LIST, {
    headers: { ...headers, accept: "application/json" },
    multipart: { description: "Refunds of the week", file: { name, mimeType: "text/csv", buffer: Buffer.from([HEADER, ...lines, ""].join("\n")) } },
  });
  if (answer.status() !== 201) throw new Error(`${name}: ${await answer.text()}`);
  return `${LIST}/${(await answer.json()).batch_id}`;
}

/** Shows a page until `there` is on it, and takes its picture on each screen. */
async function shoot(who, name, path, there) {
  for (const [at, page] of who.pages.entries()) {
    await page.goto(path);
    const late = Date.now() + 90_000;
    while (!(await page.getByText(there).first().isVisible().catch(() => false))) {
      if (Date.now() > late) {
        await page.screenshot({ path: join(folder, `${name}-missing.png`), fullPage: true });
        throw new Error(`${name}: nothing on the page says ${there}`);
      }
      await page.waitForTimeout(500);
      await page.reload();
    }
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.screenshot({ path: join(folder, `${name}-${SCREENS[at].width}.png`) });
  }
  console.log(name);
}

const sql = (text) => execFileSync("psql", [run.database_url, "-qtAc", `SET search_path = batchdesk; ${text}`], { encoding: "utf8" });

try {
  await mkdir(folder, { recursive: true });
  const owner = await person("owner@globex.test");
  const maker = await person("maker@acme.test");

  await shoot(maker, "awaiting-approval", await batch(maker, "awaiting.csv", ["ORD_"], 12), /Awaiting approval/);

  const doubtful = await batch(owner, "doubtful.csv", ["ORD_T_AFTER_", "ORD_PENDING_", "ORD_429_", "ORD_"], 2);
  await shoot(owner, "checking-with-gateway", doubtful, /[Cc]hecking with/);

  await post(owner, "/settings/connections/" + sql("SELECT g.id FROM gateway g JOIN organisation_name n ON n.organisation_id = g.organisation_id WHERE n.name = 'Globex'").trim() + "/limits", {
    concurrency: "1",
    rate_limit: "1",
    rate_burst: "1",
    reason: "A slow gateway to look at",
  });
  const slow = await batch(owner, "limited.csv", ["ORD_"], 400);
  await shoot(owner, "limited", slow, /left/);
  await post(owner, `${slow}/pause`, { reason: "Finance asks to wait for the bank", next: slow });
  await shoot(owner, "paused", slow, /Finance asks to wait/);
  await post(owner, `${slow}/resume`, { next: slow });
  await post(owner, "/settings/pause", { reason: "Month end: nothing goes out today" });
  await shoot(owner, "everything-paused", slow, /Month end/);
  await post(owner, "/settings/resume", {});

  sql("UPDATE gateway_promise SET class = 'Q', key_window = NULL; UPDATE gateway SET rate_limit = NULL, rate_burst = NULL, concurrency = 20, updated_at = now()");
  const review = await batch(owner, "review.csv", ["ORD_T_BEFORE_", "ORD_"], 2);
  await post(owner, `${slow}/cancel`, { next: slow });
  sql("UPDATE open_task SET run_at = now() WHERE state = 'UNKNOWN'");
  const hurry = setInterval(() => sql("UPDATE open_task SET run_at = now() WHERE state = 'UNKNOWN' AND run_at > now() + interval '1 second' AND owner IS NULL"), 1500);
  await shoot(owner, "needs-review", review, /[Nn]eeds review/);
  clearInterval(hurry);
  await shoot(owner, "review", "/review", /ORD_T_BEFORE_/);

  const away = execFileSync("pgrep", ["-f", `simulator.*${new URL(run.simulator).port}`], { encoding: "utf8" }).trim().split("\n");
  for (const pid of away) process.kill(Number(pid), "SIGSTOP");
  const waiting = await batch(owner, "away.csv", ["ORD_"], 30);
  try {
    await shoot(owner, "gateway-away", waiting, /does not answer|did not answer|not reach/);
  } finally {
    for (const pid of away) process.kill(Number(pid), "SIGCONT");
  }
} finally {
  await browser.close();
  await demo.stop();
}
