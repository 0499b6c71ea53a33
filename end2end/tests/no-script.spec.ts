// Everything that matters works without JavaScript.
import { readFile } from "node:fs/promises";
import type { Page } from "@playwright/test";
import { BATCH, PEOPLE, REFUNDS, batchStatus, expect, plain, refunds, signIn, test, tile, unique } from "../support/app";

const off = { javaScriptEnabled: false };

const give = (page: Page, name: string, content: string) =>
  page.locator("input[type=file]").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });

const send = (page: Page) => page.getByRole("button", { name: "Upload", exact: true }).click();

async function enter(page: Page, email: string) {
  await page.goto("/login");
  await signIn(page, email);
  await page.waitForURL((url) => url.pathname === "/");
}

test("without JavaScript a batch is made, approved, carried out and downloaded", async ({ nobody, allow }) => {
  allow(/422/);
  const maker = await nobody(off);
  await enter(maker, PEOPLE.maker);
  await maker.getByRole("link", { name: "Bulk Operations" }).click();
  await maker.waitForURL(`**${REFUNDS}`);
  await maker.getByRole("link", { name: "Create Batch Refunds" }).first().click();
  await maker.getByLabel("Description").fill("Plain forms");
  await maker.getByRole("button", { name: "Submit", exact: true }).click();
  await maker.waitForURL(/\/new\?draft=/);

  // First a file with findings: they come back with the page, nothing is queued, the description is kept.
  const good = plain("3.00");
  const name = `${unique("plain")}.csv`;
  await give(maker, name, refunds([good, { order: unique("ORD"), amount: "ten" }, { order: "", amount: "1" }]));
  await send(maker);
  const findings = maker.locator("[data-finding]");
  await expect(findings).toHaveCount(2);
  await expect(findings.and(maker.locator('[data-row="3"][data-column="amount"]'))).toContainText("Invalid data type");
  await expect(findings.and(maker.locator('[data-row="4"][data-column="order_id"]'))).toContainText("Missing mandatory fields");
  await expect(maker.getByText(name).first()).toBeVisible();

  await give(maker, name, refunds([good]));
  await send(maker);
  await maker.waitForURL(BATCH);
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(maker.getByText("Plain forms").first()).toBeVisible();
  const path = new URL(maker.url()).pathname;

  const checker = await nobody(off);
  await enter(checker, PEOPLE.checker);
  await checker.getByRole("link", { name: "Approvals" }).first().click();
  await checker.locator(`a[href="/approvals/${path.split("/").at(-1)}"]`).first().click();
  await checker.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(checker.getByText(`Approved by ${PEOPLE.checker}`)).toBeVisible();

  await expect(async () => {
    await maker.goto(path);
    await expect(batchStatus(maker)).toHaveAttribute("data-status", "completed", { timeout: 500 });
  }).toPass({ timeout: 30_000 });
  await expect(tile(maker, "accepted")).toHaveText("1");
  await expect(maker.getByRole("link", { name: "Refresh" })).toBeVisible();

  const download = maker.waitForEvent("download");
  await maker.getByRole("link", { name: "Download Data" }).click();
  const saved = await download;
  expect(saved.suggestedFilename()).toBe("batch_refund.csv");
  expect(await readFile(await saved.path(), "utf8")).toContain(`\n1,${good.order},3.00,SUCCESS,${good.key},`);

  await maker.getByRole("button", { name: "Sync with Gateway" }).click();
  await expect(maker.getByText("Nothing to ask")).toBeVisible();

  // The same file again is held back until the box is ticked.
  await maker.goto(`${REFUNDS}/new`);
  await maker.getByLabel("Description").fill("Again, on purpose");
  await maker.getByRole("button", { name: "Submit", exact: true }).click();
  await give(maker, name, refunds([good]));
  await send(maker);
  const box = maker.getByLabel("Upload it again anyway");
  await expect(box).not.toBeChecked();
  await send(maker);
  await expect(box, "without the tick it stays here").not.toBeChecked();

  await maker.getByRole("button", { name: PEOPLE.maker }).click();
  await maker.getByRole("button", { name: "Sign out" }).click();
  await maker.waitForURL("**/login");
  await maker.goto(path);
  await expect(maker).toHaveURL(/\/login\?next=/);
});
