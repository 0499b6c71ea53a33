// The main road: a maker's file, a checker's decision, money moved once, the result as a file.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BATCH,
  PASSWORD,
  PEOPLE,
  REFUNDS,
  batchOf,
  batchStatus,
  choose,
  client,
  describe,
  expect,
  follow,
  giveFile,
  hydrated,
  open,
  plain,
  refunds,
  seen,
  tabTo,
  test,
  tile,
  unique,
  upload,
} from "../support/app";

const RESULT =
  "S.No,Order/Transaction Id,Amount,Refund Status,Unique Id,GW Transaction Id,Udf1,Udf2,Udf3,Udf4,Udf5,Udf6,Udf7,Udf8,Udf9,Udf10,Task Status,Refund Type,Error Message,Created At,Updated At";

test("maker uploads, checker approves, both see it end live, the result comes back as a file", async ({ as }) => {
  const rows = [
    { order: unique("ORD"), amount: "100.50", key: unique("R"), note: '"Pune, store 7"' },
    { order: unique("ORD"), amount: "7" },
    { order: unique("ORD_DECLINE_"), amount: "12.25", key: unique("R") },
    { order: unique("ORD_MISSING_"), amount: "3.00", key: unique("R") },
    // Answers after two seconds: long enough to be seen under way.
    { order: unique("ORD_SLOW_"), amount: "1.00", key: unique("R") },
  ];
  const file = `${unique("refunds")}.csv`;
  const maker = await as("maker");
  await describe(maker, "Returns of the spring sale");
  await choose(maker, file, refunds(rows));
  const batch = await upload(maker);
  await hydrated(maker);
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(batchStatus(maker)).toContainText("Awaiting approval");
  await expect(maker.getByText("Returns of the spring sale").first()).toBeVisible();
  await expect(maker.getByRole("heading", { level: 1 })).toContainText(file);
  await expect(tile(maker, "queued")).toHaveText("5");
  // The maker is never the checker, and what waits cannot be asked after.
  await expect(maker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);
  await expect(maker.getByRole("button", { name: "Sync with Gateway" })).toHaveCount(0);

  const checker = await as("checker");
  const watching = await checker.context().newPage();
  await open(watching, `${REFUNDS}/${batch}`);
  await follow(maker);
  await follow(watching);
  await open(checker, "/approvals");
  await checker.locator(`a[href="/approvals/${batch}"]`).first().click();
  await checker.waitForURL(`**/approvals/${batch}`);
  await expect(checker.getByText(file).first()).toBeVisible();
  await expect(checker.getByText("₹123.75").first()).toBeVisible();
  await checker.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(checker.getByText(`Approved by ${PEOPLE.checker}`)).toBeVisible();
  await expect(checker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);

  // Neither page is loaded again: what they show now came live.
  for (const page of [maker, watching]) {
    await expect(batchStatus(page)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
    await expect(batchStatus(page)).toContainText("Completed with failures");
    await expect(tile(page, "accepted")).toHaveText("3");
    await expect(tile(page, "rejected")).toHaveText("2");
    await expect(tile(page, "queued")).toHaveText("0");
    await expect(page.locator('main tbody [data-status="ACCEPTED"]')).toHaveCount(3);
    await expect(page.locator('main tbody [data-status="FAILED"]')).toHaveCount(2);
    expect(await seen(page)).toEqual(["awaiting_approval", "processing", "completed_with_failures"]);
  }

  const download = maker.waitForEvent("download");
  await maker.getByRole("link", { name: "Download Data" }).click();
  const saved = await download;
  expect(saved.suggestedFilename()).toBe("batch_refund.csv");
  const text = await readFile(await saved.path(), "utf8");
  expect(text.endsWith("\n")).toBe(true);
  const [header, ...lines] = text.slice(0, -1).split("\n");
  expect(header).toBe(RESULT);
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30`;
  const sim = String.raw`SIM\d{10}`;
  const blank = ",".repeat(9);
  const wanted = [
    `1,${rows[0].order},100.50,SUCCESS,${rows[0].key},${sim},"Pune, store 7"${blank},ACCEPTED,STANDARD,,${time},${time}`,
    `2,${rows[1].order},7.00,SUCCESS,[A-Za-z0-9]{1,20},${sim},${blank},ACCEPTED,STANDARD,,${time},${time}`,
    `3,${rows[2].order},12.25,,${rows[2].key},,${blank},FAILED,,[^,]+,${time},${time}`,
    `4,${rows[3].order},3.00,,${rows[3].key},,${blank},FAILED,,[^,]+,${time},${time}`,
    `5,${rows[4].order},1.00,SUCCESS,${rows[4].key},${sim},${blank},ACCEPTED,STANDARD,,${time},${time}`,
  ];
  expect(lines).toHaveLength(wanted.length);
  for (const [at, pattern] of wanted.entries()) expect(lines[at]).toMatch(new RegExp(`^${pattern}$`));

  await open(maker, `${REFUNDS}?q=${file}`);
  const row = maker.locator(`tr[data-batch="${batch}"]`);
  await expect(row.getByRole("link", { name: file })).toBeVisible();
  await expect(row.locator("[data-status]")).toHaveAttribute("data-status", "completed_with_failures");
  await expect(row).toContainText("5 of 5");
  await expect(row).toContainText("2 failed");
  await expect(row.getByRole("button", { name: "Sync with Gateway" })).toBeVisible();
});

test("a rejected batch moves no money and says why", async ({ as }) => {
  const maker = await as("maker2");
  await describe(maker, "Last year's returns");
  await choose(maker, `${unique("wrong")}.csv`, refunds([plain("1.00")]));
  const batch = await upload(maker);
  await hydrated(maker);
  await follow(maker);

  const checker = await as("checker");
  await open(checker, `/approvals/${batch}`);
  const reason = checker.getByLabel("Reason");
  await reason.fill("The amounts are last year's");
  await checker.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(batchStatus(checker)).toHaveAttribute("data-status", "rejected");

  await expect(batchStatus(maker)).toHaveAttribute("data-status", "rejected");
  await expect(maker.getByText("The amounts are last year's").first()).toBeVisible();
  await expect(maker.getByText("Nothing was sent", { exact: false }).first()).toBeVisible();
  await expect(tile(maker, "accepted")).toHaveText("0");
  expect(await seen(maker)).toEqual(["awaiting_approval", "rejected"]);
});

test("to reject needs a reason", async ({ as, allow }) => {
  allow(/422/);
  const from = await client("maker");
  const batch = await batchOf(from, `${unique("noreason")}.csv`, [plain("1.00")]);
  const checker = await as("checker");
  await open(checker, `/approvals/${batch}`);
  await checker.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(checker.getByLabel("Reason")).toHaveAttribute("aria-invalid", "true");
  await expect(batchStatus(checker)).toHaveAttribute("data-status", "awaiting_approval");
  await from.dispose();
});

test("a maker takes a batch back; the checker's open page says so and can no longer decide", async ({ as }) => {
  const from = await client("maker");
  const batch = await batchOf(from, `${unique("back")}.csv`, [plain("2.00")]);
  await from.dispose();
  const checker = await as("checker");
  await open(checker, `/approvals/${batch}`);
  await follow(checker);
  await expect(checker.getByRole("button", { name: "Approve", exact: true })).toBeVisible();

  const maker = await as("maker");
  await open(maker, `${REFUNDS}/${batch}`);
  await maker.getByRole("button", { name: "Withdraw" }).first().click();
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "withdrawn");
  await expect(checker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);
  await expect(batchStatus(checker)).toHaveAttribute("data-status", "withdrawn");
  expect(await seen(checker)).toEqual(["awaiting_approval", "withdrawn"]);
});

test("a file can be dropped on the page", async ({ as }) => {
  const folder = await mkdtemp(join(tmpdir(), "batchdesk-drop-"));
  const name = `${unique("dropped")}.csv`;
  const path = join(folder, name);
  await writeFile(path, refunds([plain("4.00")]));
  const page = await as("owner");
  await open(page, `${REFUNDS}/new`);
  const zone = page.locator(".drop");
  await zone.scrollIntoViewIfNeeded();
  const box = (await zone.boundingBox())!;
  // As the browser itself drops a file from the desktop; no event is made up.
  const browser = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    await browser.send("Input.dispatchDragEvent", { type, x: box.x + box.width / 2, y: box.y + box.height / 2, data });
  }
  await expect(page.getByText("Every row can be sent")).toBeVisible();
  await upload(page);
  await expect(page.getByRole("heading", { level: 1 })).toContainText(name);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  await rm(folder, { recursive: true });
});

test("without maker-checker there is no description step, and the batch runs at once", async ({ as }) => {
  const page = await as("owner");
  await open(page, REFUNDS);
  await page.getByRole("link", { name: "Create Batch Refunds" }).first().click();
  await page.waitForURL(`**${REFUNDS}/new`);
  await expect(page.getByLabel("Description")).toHaveCount(0);
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await choose(page, `${unique("direct")}.csv`, refunds([{ order: unique("ORD_SLOW_"), amount: "5.00" }]));
  await upload(page);
  await hydrated(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "processing");
  await follow(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  expect(await seen(page)).toEqual(["processing", "completed"]);
  const readAgain = page.waitForResponse((answer) => answer.url().endsWith("/api/batches/detail"));
  await page.getByRole("button", { name: "Sync with Gateway" }).click();
  await expect(page.getByText("Nothing to ask")).toBeVisible();
  // What was said stays when the page's rows are read again.
  await (await readAgain).finished();
  await expect(page.getByText("Nothing to ask")).toBeVisible();
});

test("the keyboard alone is enough", async ({ nobody }) => {
  const page = await nobody();
  await open(page, "/login");
  await tabTo(page, page.getByLabel("Email"));
  await page.keyboard.type(PEOPLE.owner);
  await tabTo(page, page.getByLabel("Password", { exact: true }));
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === "/");
  await hydrated(page);
  await tabTo(page, page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Bulk Operations" }));
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${REFUNDS}`);
  await tabTo(page, page.getByRole("link", { name: "Create Batch Refunds" }));
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${REFUNDS}/new`);
  await hydrated(page);
  const field = page.locator("input[type=file]");
  await giveFile(page, `${unique("keys")}.csv`, refunds([plain("5.00")]), async () => {
    await tabTo(page, field);
    await page.keyboard.press("Enter");
  });
  await expect(page.getByText("Every row can be sent")).toBeVisible();
  await tabTo(page, page.getByRole("button", { name: "Upload", exact: true }));
  await page.keyboard.press("Enter");
  await page.waitForURL(BATCH);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
});
