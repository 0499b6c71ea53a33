// Everything that matters works without JavaScript.
import { batchStatus, expect, refunds, test, tile, unique } from "../support/desk";

const off = { javaScriptEnabled: false };

test("without JavaScript a batch is made, approved and carried out", async ({ as }) => {
  const maker = await as("maker", off);
  await maker.goto("/batch/batch-refunds");
  await maker.getByRole("link", { name: "Create Batch Refunds" }).first().click();
  await maker.getByLabel("Description").fill("Plain forms");
  await maker.getByRole("button", { name: "Submit" }).click();
  await maker.waitForURL(/draft=/);
  await maker.locator("input[type=file]").first().setInputFiles({
    name: `${unique("plain")}.csv`,
    mimeType: "text/csv",
    buffer: Buffer.from(refunds([{ order: unique("ORD"), amount: "3.00", key: unique("R") }])),
  });
  await maker.getByRole("button", { name: "Upload", exact: true }).click();
  await maker.waitForURL(/\/batch\/batch-refunds\/[0-9a-f-]{36}$/);
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  const path = new URL(maker.url()).pathname;

  const checker = await as("checker", off);
  await checker.goto(`/approvals/${path.split("/").at(-1)}`);
  await checker.getByRole("button", { name: "Approve", exact: true }).click();

  await expect(async () => {
    await maker.goto(path);
    await expect(batchStatus(maker)).toHaveAttribute("data-status", "completed", { timeout: 1_000 });
  }).toPass({ timeout: 30_000 });
  await expect(tile(maker, "accepted")).toContainText("1");
});

test("without JavaScript the findings come back with the page", async ({ as, allow }) => {
  allow(/422/);
  const maker = await as("maker", off);
  await maker.goto("/batch/batch-refunds/new");
  await maker.locator("input[type=file]").first().setInputFiles({
    name: `${unique("plain")}.csv`,
    mimeType: "text/csv",
    buffer: Buffer.from(refunds([{ order: unique("ORD"), amount: "ten" }])),
  });
  await maker.getByRole("button", { name: "Upload", exact: true }).click();
  const finding = maker.locator("[data-finding]");
  await expect(finding).toHaveCount(1);
  await expect(finding).toHaveAttribute("data-row", "2");
  await expect(finding).toHaveAttribute("data-column", "amount");
});
