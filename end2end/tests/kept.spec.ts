// A file that the server kept from an earlier try, and two places of the list that must not break at their widths.
import { BATCH, REFUNDS, batchOf, client, expect, open, plain, refunds, send, test, unique } from "../support/app";

test("a kept file is sent from its page without choosing it again", async ({ as, allow }) => {
  allow(/422/);
  const page = await as("owner");
  const rows = [plain("12.50")];
  const name = `${unique("kept")}.csv`;
  await batchOf(page.request, name, rows);
  // The same order and amount again, under another unique id: held back until it is confirmed, and kept meanwhile.
  const repeat = [{ ...rows[0], key: unique("R") }];
  const answer = await send(page.request, name, refunds(repeat));
  expect(answer.status()).toBe(422);
  await open(page, `${REFUNDS}/new?upload=${(await answer.json()).upload}`);
  await page.getByLabel("Upload it again anyway").check();
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.waitForURL(BATCH);
  await expect(page.getByText(name).first()).toBeVisible();
});

test("the search stands across a phone's list, and a full list keeps its buttons whole beside long names", async ({ as }) => {
  const page = await as("owner");
  const name = `${unique("refunds_of_the_festive_season_that_nobody_shortened_")}.csv`;
  const batch = await batchOf(page.request, name, [plain("99999.99"), { order: unique("ORD_DECLINE_"), amount: "12345.67" }]);
  await page.setViewportSize({ width: 390, height: 844 });
  // Searched for: others make batches meanwhile, and a list shows the newest.
  await open(page, `${REFUNDS}?q=${name}`);
  const main = (await page.locator("main").boundingBox())!;
  const search = (await page.getByRole("searchbox", { name: "Search by file name" }).boundingBox())!;
  expect(search.width, "all of the width but the margins").toBeGreaterThan(main.width - 80);
  await page.setViewportSize({ width: 1280, height: 800 });
  const row = page.locator(`tr[data-batch="${batch}"]`);
  await expect(row.locator("[data-status]").first()).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  const button = row.getByRole("button", { name: "Sync with Gateway" });
  const lines = await button.evaluate((element) => {
    // The words alone: the icon beside them has a height of its own.
    const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim());
    const range = document.createRange();
    return words.flatMap((node) => (range.selectNodeContents(node), [...range.getClientRects()])).filter((box) => box.width > 0).length;
  });
  expect(lines, "no more lines than the row has").toBeLessThanOrEqual(2);
  const box = page.locator(".table-box").first();
  expect(await box.evaluate((element) => element.scrollWidth - element.clientWidth), "the table fits").toBeLessThanOrEqual(0);
  expect(await page.evaluate(() => document.documentElement.scrollWidth), "nothing sticks out").toBeLessThanOrEqual(1280);
  const edge = (await box.boundingBox())!;
  const act = (await button.boundingBox())!;
  expect(act.x + act.width, "the button is not cut off").toBeLessThanOrEqual(edge.x + edge.width);
});
