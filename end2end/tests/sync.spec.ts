// Batch Sync: the toggle, the button, the counters, the file that comes back.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { PEOPLE, batchStatus, choose, client, expect, hydrated, open, test, tile, unique } from "../support/app";

const SYNC = "/batch/batch-sync";
const BATCH = /\/batch\/batch-sync\/[0-9a-f]{8}-[0-9a-f-]{27}$/;
const HEADER = "order_id,txn_id,unique_request_id";
const RESULT =
  "S.No,Order ID,Transaction ID,Unique Request ID,Sync Status,External System Response,Gateway Sync Status,Task Status,Error Message,Created At,Updated At";
const file = (...rows: string[]) => [HEADER, ...rows, ""].join("\n");

async function upload(page: Page) {
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.waitForURL(BATCH);
  await hydrated(page);
  return new URL(page.url()).pathname.split("/").at(-1)!;
}

/** The file that "Download Data" gives. */
async function downloaded(page: Page) {
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download Data" }).click();
  const saved = await download;
  expect(saved.suggestedFilename()).toBe("batch_sync.csv");
  return readFile(await saved.path(), "utf8");
}

const colour = (page: Page) => page.locator(".switch-track").evaluate((track) => getComputedStyle(track).backgroundColor);

test("with the toggle on, each order is read from the gateway and the result comes back byte for byte", async ({ as }) => {
  const orders = [unique("ORD_"), unique("ORD_MISSING_"), unique("ORD_"), unique("ORD_")];
  const owner = await as("owner");
  await open(owner, SYNC);
  await expect(owner.getByRole("heading", { level: 1 })).toHaveText("Batch Sync");
  await expect(owner.getByRole("navigation", { name: "Bulk Operations" }).getByRole("link", { name: "Sync", exact: true })).toHaveAttribute("aria-current", "page");
  const heads = owner.locator("thead th");
  await expect(heads).toHaveText([/File Name/, /File Upload Status/, /Total Records/, /Date Created/, /Last Modified/, /Total Tasks/, /Tasks Progress/, /Actions/]);
  await owner.getByRole("link", { name: "Create Batch Sync" }).first().click();
  await owner.waitForURL(`**${SYNC}/new`);
  await hydrated(owner);
  const toggle = owner.getByRole("switch", { name: "Sync With Gateway" });
  await expect(toggle).toBeChecked();
  await choose(owner, `${unique("orders")}.csv`, file(`${orders[0]},globex-${orders[0]}-1,REQ-1`, `${orders[1]},,REQ-2`, `${orders[2]},TXN_OF_ANOTHER,`, `${orders[3]},,`));
  await expect(owner.getByRole("region", { name: "The file" })).toContainText("Order sync, 3 columns");
  await expect(toggle, "the same switch stands before the act").toBeChecked();
  await upload(owner);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  await expect(tile(owner, "accepted")).toHaveText("2");
  await expect(tile(owner, "rejected")).toHaveText("2");
  await expect(tile(owner, "queued")).toHaveText("0");
  for (const words of ["Batch Details", "Total Records", "Total Accepted Tasks", "Total Rejected Tasks", "Total Queued Tasks"]) {
    await expect(owner.getByText(words, { exact: true }).first()).toBeVisible();
  }
  await expect(owner.getByText("₹")).toHaveCount(0);
  await expect(owner.locator('main tbody [data-status="ACCEPTED"]')).toHaveCount(2);

  const text = await downloaded(owner);
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30`;
  const times = [...text.matchAll(new RegExp(time, "g"))].map(([time]) => time);
  expect(times).toHaveLength(8);
  const stored = "Stored in Batchdesk";
  const expected = [
    RESULT,
    `1,${orders[0]},globex-${orders[0]}-1,REQ-1,SYNCED,${stored},SYNCED,ACCEPTED,,${times[0]},${times[1]}`,
    `2,${orders[1]},,REQ-2,NOT SYNCED,,FAILED,FAILED,The gateway does not know order ${orders[1]}.,${times[2]},${times[3]}`,
    `3,${orders[2]},TXN_OF_ANOTHER,,NOT SYNCED,,FAILED,FAILED,"Transaction TXN_OF_ANOTHER does not belong to order ${orders[2]}, which has globex-${orders[2]}-1.",${times[4]},${times[5]}`,
    `4,${orders[3]},,,SYNCED,${stored},SYNCED,ACCEPTED,,${times[6]},${times[7]}`,
    "",
  ].join("\n");
  expect(text).toBe(expected);

  // The button asks about every record again; the person stays where they are.
  await owner.getByRole("button", { name: "Sync with Gateway" }).click();
  await expect(owner.getByText("Asking the gateway about 4 orders.")).toBeVisible();
  await expect(tile(owner, "accepted")).toHaveText("2");
});

test("with the toggle off, only what was stored before counts; the button moves the counters", async ({ as }) => {
  const [known, fresh] = [unique("ORD_"), unique("ORD_")];
  const owner = await as("owner");
  await open(owner, `${SYNC}/new`);
  await choose(owner, `${unique("known")}.csv`, file(`${known},,`));
  await upload(owner);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });

  await open(owner, `${SYNC}/new`);
  const toggle = owner.getByRole("switch", { name: "Sync With Gateway" });
  const on = await colour(owner);
  await owner.getByText("Sync With Gateway", { exact: true }).click();
  await expect(toggle).not.toBeChecked();
  await expect(owner.getByText("Off", { exact: true })).toBeVisible();
  await expect(async () => {
    const off = await colour(owner);
    const [red, green, blue] = off.match(/\d+/g)!.map(Number);
    expect(Math.max(red, green, blue) - Math.min(red, green, blue), `grey when off: ${off}`).toBeLessThan(40);
  }).toPass();
  const [red, , blue] = on.match(/\d+/g)!.map(Number);
  expect(blue - red, `blue when on: ${on}`).toBeGreaterThan(100);

  await choose(owner, `${unique("stored")}.csv`, file(`${known},,`, `${fresh},,`));
  await expect(toggle, "it stays as it was set").not.toBeChecked();
  await upload(owner);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  await expect(tile(owner, "accepted")).toHaveText("1");
  await expect(tile(owner, "rejected")).toHaveText("1");
  await expect(owner.getByText("Turn Sync With Gateway on and upload it again.").first()).toBeVisible();
  await expect(owner.getByText("NOT REQUESTED")).toHaveCount(2);

  await owner.getByRole("button", { name: "Sync with Gateway" }).click();
  await expect(tile(owner, "accepted"), "the counters move both ways").toHaveText("2", { timeout: 30_000 });
  await expect(tile(owner, "rejected")).toHaveText("0");
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed");
});

test("findings are found in the browser and corrected in place", async ({ as }) => {
  const owner = await as("owner");
  await open(owner, `${SYNC}/new`);
  const order = unique("ORD_");
  await choose(owner, `${unique("bad")}.csv`, file(`${order},,`, "ORD 7/8,,R", ",T,", `${order},,`));
  const findings = owner.locator("[data-finding]");
  await expect(findings).toHaveCount(3);
  await expect(findings.and(owner.locator('[data-row="3"][data-column="order_id"]'))).toContainText("ORD 7/8");
  await expect(owner.getByText("Invalid order ID format").first()).toBeVisible();
  await expect(owner.getByText("Empty order ID").first()).toBeVisible();
  await expect(owner.getByText("rows 2 and 5").first()).toBeVisible();
  for (const row of [3, 4, 5]) {
    const cell = owner.getByLabel(`order_id, row ${row}`, { exact: true });
    await cell.fill(unique("ORD_"));
    await cell.press("Enter");
  }
  await expect(findings).toHaveCount(0);
  await upload(owner);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", /completed/, { timeout: 30_000 });
});

test("maker-checker: the checker sees the toggle and the count, and decides", async ({ as }) => {
  const maker = await as("maker");
  await open(maker, SYNC);
  await maker.getByRole("link", { name: "Create Batch Sync" }).first().click();
  const dialog = maker.getByRole("dialog");
  await dialog.getByLabel("Description").fill("Orders the shop shows as open");
  await dialog.getByRole("button", { name: "Submit", exact: true }).click();
  await maker.waitForURL(/\/batch\/batch-sync\/new\?draft=/);
  await hydrated(maker);
  const name = `${unique("approve")}.csv`;
  await choose(maker, name, file(`${unique("ORD_")},,`, `${unique("ORD_")},,`));
  const batch = await upload(maker);
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(maker.getByRole("button", { name: "Sync with Gateway" })).toHaveCount(0);
  await expect(tile(maker, "queued")).toHaveText("2");

  const checker = await as("checker");
  await open(checker, "/approvals");
  await checker.locator(`a[href="/approvals/${batch}"]`).first().click();
  await checker.waitForURL(`**/approvals/${batch}`);
  await expect(checker.getByText("Sync With Gateway is On")).toBeVisible();
  await expect(checker.getByText("2 orders").first()).toBeVisible();
  await expect(checker.getByText("No money moves.")).toBeVisible();
  await checker.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(checker.getByText(`Approved by ${PEOPLE.checker}`)).toBeVisible();
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  await expect(tile(maker, "accepted")).toHaveText("2");
});

test("orders are told to the external system, and its answer is kept", async ({ as }) => {
  const told: { headers: Record<string, unknown>; body: string }[] = [];
  const system = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      told.push({ headers: request.headers, body });
      response.writeHead(body.includes("REFUSE") ? 422 : 200, { "content-type": "application/json" }).end('{"seen":true}');
    });
  });
  await new Promise<void>((done) => system.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(system.address() as AddressInfo).port}/orders`;
  const from = await client("admin");
  const set = (enabled: string) => from.post("/settings/external", { form: { url, enabled, reason: "Told to a system of this test" }, headers: { origin: process.env.BATCHDESK_URL! }, maxRedirects: 0 });
  expect((await set("on")).status()).toBe(303);
  try {
    const [good, bad] = [unique("ORD_"), unique("ORD_REFUSE_")];
    const sender = await client("maker");
    const answer = await sender.post(SYNC, {
      headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
      multipart: { description: "Told", sync_with_gateway: "on", file: { name: `${unique("told")}.csv`, mimeType: "text/csv", buffer: Buffer.from(file(`${good},,R1`, `${bad},,`)) } },
    });
    expect(answer.status(), await answer.text()).toBe(201);
    const batch = (await answer.json()).batch_id as string;
    const checker = await as("checker");
    await open(checker, `/approvals/${batch}`);
    await checker.getByRole("button", { name: "Approve", exact: true }).click();
    await expect(checker.getByText(`Approved by ${PEOPLE.checker}`)).toBeVisible();
    await open(checker, `${SYNC}/${batch}`);
    await expect(batchStatus(checker)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
    await expect(checker.getByText('HTTP 200 {"seen":true}')).toBeVisible();
    await expect(checker.getByText('HTTP 422 {"seen":true}')).toBeVisible();
    const message = told.find(({ body }) => body.includes(good))!;
    expect(message.headers["webhook-id"]).toMatch(/^msg_/);
    expect(message.headers["webhook-signature"]).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    expect(JSON.parse(message.body).data).toMatchObject({ unique_request_id: "R1", order: { order_id: good, status: "CHARGED", amount: 10_000_000 } });
    expect(told.filter(({ body }) => body.includes(bad)), "a definite no is not asked twice").toHaveLength(1);
  } finally {
    await set("off");
    system.close();
  }
});

test("without JavaScript a sync is made and comes back as a file", async ({ nobody, allow }) => {
  allow(/422/);
  const page = await nobody({ javaScriptEnabled: false });
  await page.goto("/login");
  await page.getByLabel("Email").fill(PEOPLE.owner);
  await page.getByLabel("Password", { exact: true }).fill("batchdesk-demo");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("link", { name: "Bulk Operations" }).click();
  await page.getByRole("link", { name: "Sync", exact: true }).click();
  await page.waitForURL(`**${SYNC}`);
  await page.getByRole("link", { name: "Create Batch Sync" }).first().click();
  await page.waitForURL(`**${SYNC}/new`);
  const give = (content: string) =>
    page.locator("input[type=file]").setInputFiles({ name: `${unique("plain")}.csv`, mimeType: "text/csv", buffer: Buffer.from(content) });
  const send = () => page.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(page.getByRole("switch", { name: "Sync With Gateway" })).toBeChecked();
  await page.getByText("Sync With Gateway", { exact: true }).click();
  await expect(page.getByText("Off", { exact: true })).toBeVisible();
  await give(file("ORD 1,,"));
  await send();
  await expect(page.locator("[data-finding]")).toContainText("ORD 1");
  await expect(page.getByRole("switch", { name: "Sync With Gateway" })).not.toBeChecked();
  await page.getByText("Sync With Gateway", { exact: true }).click();
  await give(file(`${unique("ORD_")},,`));
  await send();
  await page.waitForURL(BATCH);
  const path = new URL(page.url()).pathname;
  await expect(async () => {
    await page.goto(path);
    await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 500 });
  }).toPass({ timeout: 30_000 });
  expect(await downloaded(page)).toContain(",SYNCED,Stored in Batchdesk,SYNCED,ACCEPTED,,");
});

test("the list is searched and sorted by its own columns", async ({ as }) => {
  const owner = await as("owner");
  const from = await client("owner");
  const mark = unique("sort");
  for (const [name, rows] of [[`${mark}_a.csv`, 1], [`${mark}_b.csv`, 3], [`${mark}_C.csv`, 2]] as const) {
    const content = file(...Array.from({ length: rows }, () => `${unique("ORD_")},,`));
    const answer = await from.post(SYNC, {
      headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
      multipart: { sync_with_gateway: "on", file: { name, mimeType: "text/csv", buffer: Buffer.from(content) } },
    });
    expect(answer.status(), await answer.text()).toBe(201);
  }
  await open(owner, `${SYNC}?q=${mark}`);
  const names = owner.locator("tbody tr a.name");
  await expect(names).toHaveText([`${mark}_C.csv`, `${mark}_b.csv`, `${mark}_a.csv`]);
  await owner.getByRole("link", { name: "Total Records" }).click();
  await expect(names).toHaveText([`${mark}_a.csv`, `${mark}_C.csv`, `${mark}_b.csv`]);
  await expect(owner.locator("th[aria-sort=ascending]")).toContainText("Total Records");
  await owner.getByRole("link", { name: "Total Records" }).click();
  await expect(names).toHaveText([`${mark}_b.csv`, `${mark}_C.csv`, `${mark}_a.csv`]);
  await open(owner, `${SYNC}?q=${mark}_c`);
  await expect(owner.getByText("No file matches")).toBeVisible();
});
