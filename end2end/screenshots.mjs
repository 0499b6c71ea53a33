// Pictures of the pages, wide and narrow, by day and by night, of a demo of their own in which things are going on.
//   node screenshots.mjs [FOLDER]     without FOLDER into end2end/screenshots
import { chromium } from "@playwright/test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startDemo } from "./support/server.mjs";

const folder = process.argv[2] ?? fileURLToPath(new URL("screenshots", import.meta.url));
const LIST = "/batch/batch-refunds";
const HEADER = `order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,${Array.from({ length: 10 }, (_, at) => `udf${at + 1}`)}`;
const PRICES = [199, 299, 399, 599, 899, 999, 1299, 1499, 2153, 3059];

/** A file of refunds that look like refunds; the rows named in `declined` fail at the gateway. */
function file(rows, start, declined = () => false) {
  const lines = Array.from({ length: rows }, (_, row) => {
    const mixed = ((start + row) * 2654435761) >>> 0;
    const order = `${declined(row) ? "ORD_DECLINE_" : "ORD_"}${400000000 + (mixed % 99999999)}`;
    const amount = `${PRICES[(mixed >>> 8) % 10]}.${mixed % 7 === 0 ? "50" : "00"}`;
    return [order, amount, "", `RF${start + row}`, ...Array(5).fill(""), `store-${(mixed % 12) + 1}`, ...Array(9).fill("")].join(",");
  });
  return [HEADER, ...lines, ""].join("\n");
}

const SCREENS = [
  { width: 1280, height: 800 },
  { width: 390, height: 844, phone: true },
];

const demo = await startDemo(["--latency-ms", "40..120"]);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const headers = { origin: demo.url };

async function enter(context, email) {
  const answer = await context.request.post("/login", { form: { email, password: "batchdesk-demo" }, headers, maxRedirects: 0 });
  if (answer.status() !== 303) throw new Error(`${email} is not signed in: ${answer.status()}`);
}

/** Somebody, with a page for each screen, and a session for what is done beside the pages. */
async function person(email) {
  const aside = await browser.newContext({ baseURL: demo.url });
  await enter(aside, email);
  const pages = [];
  for (const { width, height, phone } of SCREENS) {
    const context = await browser.newContext({
      baseURL: demo.url,
      viewport: { width, height },
      deviceScaleFactor: 1,
      reducedMotion: "reduce",
      ...(phone && { hasTouch: true, isMobile: true }),
    });
    await enter(context, email);
    pages.push(await context.newPage());
  }
  return { pages, request: aside.request };
}

async function send(from, name, description, content) {
  const answer = await from.request.post(LIST, {
    headers: { ...headers, accept: "application/json" },
    multipart: { description, file: { name, mimeType: "text/csv", buffer: Buffer.from(content) } },
  });
  if (answer.status() !== 201) throw new Error(`${name}: ${await answer.text()}`);
  return (await answer.json()).batch_id;
}

const look = async (batch) => (await (await maker.request.get(`/api/v1/batches/${batch}`, { headers: { authorization: "Bearer bd_demo_acme" } })).json());

async function act(who, path, form) {
  const answer = await who.request.post(path, { headers, form, maxRedirects: 0 });
  if (answer.status() !== 303) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`);
}

async function decide(batch, decision, reason = "") {
  const { content_sha256: hash } = await look(batch);
  await act(checker, `/approvals/${batch}`, { decision, content_hash: hash, reason });
}

/** Waits until a batch is as it should be for its picture. */
async function until(batch, is) {
  for (const late = Date.now() + 60_000; Date.now() < late; ) {
    if (is(await look(batch))) return;
    await new Promise((later) => setTimeout(later, 250));
  }
  throw new Error(`${batch} did not get there`);
}

async function show(who, path) {
  for (const page of who.pages) {
    await page.goto(path);
    await page.locator("body[data-hydrated]").waitFor();
  }
}

async function shoot(who, name) {
  for (const [at, page] of who.pages.entries()) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: join(folder, `${name}-${SCREENS[at].width}-${colorScheme}.png`) });
    }
  }
}

let maker, checker;
try {
  await mkdir(folder, { recursive: true });
  maker = await person("maker@acme.test");
  checker = await person("checker@acme.test");

  const done = [
    await send(maker, "cancelled_in_transit.csv", "Orders cancelled on the way, week 46", file(84, 1000)),
    await send(maker, "double_charged_17nov.csv", "Charged twice while the gateway was slow on 17 Nov", file(212, 2000, (row) => row % 71 === 20)),
    await send(maker, "size_exchange_nov.csv", "Exchanges that were not in stock any more", file(46, 3000)),
  ];
  for (const batch of done) await decide(batch, "approve");
  await decide(await send(maker, "festive_offer.csv", "Offer that was not applied", file(30, 4000)), "reject", "These orders got the offer: see the list of 12 Nov");
  const back = await send(maker, "price_drop.csv", "Price drop within three days", file(64, 5000));
  await act(maker, `${LIST}/${back}/withdraw`, { next: LIST });
  for (const batch of done) await until(batch, ({ counts }) => counts.queued === 0);

  const waiting = await send(maker, "missing_items_nov.csv", "Parcels that came without an item, photos checked", file(58, 6000));
  await show(checker, `/approvals/${waiting}`);
  await shoot(checker, "approval");

  const wide = file(42, 7000).split("\n");
  wide[9] = wide[9].replace(/,(\d+)\.\d\d,/, ',"1,$1.00",');
  wide[17] = wide[17].replace(/,(\d+\.\d\d),/, ",₹$1,");
  wide[26] = wide[26].replace(/^ORD_\d+/, "");
  wide[31] = wide[31].replace(/,(\d+)\.\d\d,/, ",$1.505,");
  for (const page of maker.pages) {
    await page.goto(`${LIST}/new`);
    await page.locator("body[data-hydrated]").waitFor();
    await page.getByLabel("Description").fill("Warehouse Pune could not send these");
    await page.getByRole("button", { name: "Submit", exact: true }).click();
    await page.waitForURL(/draft=/);
    await page.locator("body[data-hydrated]").waitFor();
    const chooser = page.waitForEvent("filechooser");
    await page.getByText("Choose File", { exact: true }).click();
    await (await chooser).setFiles({ name: "short_picks_pune.csv", mimeType: "text/csv", buffer: Buffer.from(wide.join("\n")) });
    await page.locator("[data-finding]").first().waitFor();
    await page.locator("input.cell").first().waitFor();
  }
  await shoot(maker, "new");

  const running = await send(maker, "returns_2026-11-20.csv", "Returns received on 20 November", file(1000, 8000, (row) => row % 83 === 30 || (row > 210 && row < 219)));
  await show(maker, `${LIST}/${running}`);
  await decide(running, "approve");
  for (const page of maker.pages) {
    await page.waitForFunction(() => Number(document.querySelector('[data-count="queued"]').textContent) < 650);
    await page.locator('main tbody [data-status="ACCEPTED"]').first().waitFor();
  }
  await shoot(maker, "batch");
  await show(maker, LIST);
  await shoot(maker, "list");
} finally {
  await browser.close();
  await demo.stop();
}
