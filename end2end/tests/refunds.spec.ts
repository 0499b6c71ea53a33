// The main road: a maker's file, a checker's decision, money moved once, the result as a file.
import { readFile } from "node:fs/promises";
import { batchStatus, cells, choose, expect, hydrated, open, refunds, test, tile, unique } from "../support/desk";

test("maker uploads, checker approves, the refunds complete and come back as a file", async ({ as }) => {
  const rows = [
    { order: unique("ORD"), amount: "100.50", key: unique("R") },
    { order: unique("ORD"), amount: "7", key: unique("R") },
    { order: unique("ORD_DECLINE_"), amount: "12.25", key: unique("R") },
  ];
  const file = `${unique("refunds")}.csv`;
  const maker = await as("maker");

  await open(maker, "/batch/batch-refunds");
  await maker.getByRole("link", { name: "Create Batch Refunds" }).or(maker.getByRole("button", { name: "Create Batch Refunds" })).first().click();
  const description = maker.getByLabel("Description");
  await description.fill("Returns of the spring sale");
  await maker.getByRole("button", { name: "Submit" }).click();
  await maker.waitForURL(/\/batch\/batch-refunds\/new\?.*draft=/);
  await hydrated(maker);
  await choose(maker, file, refunds(rows));
  await maker.getByRole("button", { name: "Upload", exact: true }).click();
  await maker.waitForURL(/\/batch\/batch-refunds\/[0-9a-f-]{36}$/);
  await hydrated(maker);
  const batch = new URL(maker.url()).pathname.split("/").at(-1)!;
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(maker.getByText("Returns of the spring sale")).toBeVisible();
  await expect(maker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);

  const checker = await as("checker");
  await open(checker, "/approvals");
  await checker.locator(`a[href="/approvals/${batch}"]`).first().click();
  await checker.waitForURL(`**/approvals/${batch}`);
  await expect(checker.getByText(file).first()).toBeVisible();
  await checker.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(checker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);

  // The maker's page was never loaded again: what it shows now came live.
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  await expect(tile(maker, "accepted")).toContainText("2");
  await expect(tile(maker, "rejected")).toContainText("1");
  await expect(tile(maker, "queued")).toContainText("0");

  const download = maker.waitForEvent("download");
  await maker.getByRole("link", { name: "Download Data" }).first().click();
  const saved = await download;
  expect(saved.suggestedFilename()).toBe("batch_refund.csv");
  const result = cells(await readFile(await saved.path(), "utf8"));
  expect(result.map((row) => [row["S.No"], row["Order/Transaction Id"], row.Amount, row["Unique Id"], row["Task Status"]])).toEqual([
    ["1", rows[0].order, "100.50", rows[0].key, "ACCEPTED"],
    ["2", rows[1].order, "7.00", rows[1].key, "ACCEPTED"],
    ["3", rows[2].order, "12.25", rows[2].key, "FAILED"],
  ]);
  expect(result[0]["Refund Status"]).toBe("SUCCESS");
  expect(result[0]["GW Transaction Id"]).not.toBe("");
  expect(result[2]["Error Message"]).not.toBe("");
});

test("a rejected batch moves no money and says why", async ({ as }) => {
  const maker = await as("maker2");
  await open(maker, "/batch/batch-refunds/new");
  await choose(maker, `${unique("wrong")}.csv`, refunds([{ order: unique("ORD"), amount: "1.00", key: unique("R") }]));
  await maker.getByRole("button", { name: "Upload", exact: true }).click();
  await maker.waitForURL(/\/batch\/batch-refunds\/[0-9a-f-]{36}$/);
  const batch = new URL(maker.url()).pathname.split("/").at(-1)!;

  const checker = await as("checker");
  await open(checker, `/approvals/${batch}`);
  await checker.getByLabel("Reason").fill("The amounts are last year's");
  await checker.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(batchStatus(checker)).toHaveAttribute("data-status", "rejected");

  await expect(batchStatus(maker)).toHaveAttribute("data-status", "rejected");
  await open(maker, `/batch/batch-refunds/${batch}`);
  await expect(maker.getByText("The amounts are last year's").first()).toBeVisible();
  await expect(tile(maker, "accepted")).toContainText("0");
});

test("the keyboard alone is enough", async ({ nobody }) => {
  const { tabTo, PASSWORD, PEOPLE } = await import("../support/desk");
  const page = await nobody();
  await open(page, "/login");
  await tabTo(page, page.getByLabel("Email"));
  await page.keyboard.type(PEOPLE.owner);
  await tabTo(page, page.getByLabel("Password", { exact: true }));
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname !== "/login");
  await open(page, "/batch/batch-refunds/new");
  const field = page.locator("input[type=file]").first();
  await tabTo(page, field);
  const chooser = page.waitForEvent("filechooser");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles({
    name: `${unique("keys")}.csv`,
    mimeType: "text/csv",
    buffer: Buffer.from(refunds([{ order: unique("ORD"), amount: "5.00", key: unique("R") }])),
  });
  await tabTo(page, page.getByRole("button", { name: "Upload", exact: true }));
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/batch\/batch-refunds\/[0-9a-f-]{36}$/);
  // Globex has no checker: the batch runs at once.
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
});
