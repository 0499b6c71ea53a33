// The list: searched, sorted, filtered and paged, with JavaScript and without.
import type { Page } from "@playwright/test";
import { REFUNDS, batchOf, client, expect, hydrated, open, plain, test, unique } from "../support/app";

// The files are made once for all tests here.
test.describe.configure({ mode: "default" });

const FILES = 52;
const prefix = unique("Lot_");
const name = (at: number) => `${prefix}_${String(at).padStart(2, "0")}.csv`;

test.beforeAll(async () => {
  const owner = await client("owner");
  let last = "";
  for (let at = 0; at < FILES; at += 1) {
    const row = at === 7 ? { ...plain("3"), order: unique("ORD_DECLINE_") } : plain(`${1000 - at}.00`);
    last = await batchOf(owner, name(at), [row]);
  }
  // The machine interface tells when the last of them is through.
  for (const batch of [last]) {
    await expect
      .poll(async () => (await owner.get(`/api/v1/batches/${batch}`, { headers: { authorization: "Bearer bd_demo_globex" } })).json(), { timeout: 30_000 })
      .toMatchObject({ status: "completed", operation: "refund", records: 1, counts: { accepted: 1, failed: 0, queued: 0 } });
  }
  await owner.dispose();
});

// The first rows are these files, as soon as the answer to the last question has arrived.
const firstFiles = (page: Page, ...files: string[]) =>
  expect.poll(async () => (await page.locator("tr[data-batch] a.name").allInnerTexts()).slice(0, files.length)).toEqual(files);
const shows = (page: Page, count: number) => expect(page.locator("tr[data-batch]")).toHaveCount(count);

async function journey(page: Page, scripted: boolean) {
  const arrived = async (query: RegExp) => {
    await page.waitForURL(query);
    if (scripted) await hydrated(page);
  };
  const search = page.getByLabel("Search by file name");
  // Case matters; the switch turns that off.
  await search.fill(prefix.toLowerCase());
  await search.press("Enter");
  await arrived(/\?q=/);
  await expect(page.getByText("The search is case-sensitive.")).toBeVisible();
  await shows(page, 0);
  await page.getByRole("button", { name: "Case-sensitive" }).click();
  await arrived(/case=0/);
  await shows(page, 50);
  await page.getByRole("button", { name: "Clear search" }).click();
  await expect(page).not.toHaveURL(/q=LOT/i);
  await expect(search).toHaveValue("");

  await (scripted ? open(page, REFUNDS) : page.goto(REFUNDS));
  await search.fill(`${prefix}_`);
  await search.press("Enter");
  await arrived(/\?q=/);
  await firstFiles(page, name(FILES - 1), name(FILES - 2));
  await shows(page, 50);

  const pages = page.getByRole("navigation", { name: "Pages" });
  await expect(pages).toContainText("1–50 of 52");
  await pages.getByRole("link", { name: "Next" }).click();
  await arrived(/page=2/);
  await shows(page, 2);
  await firstFiles(page, name(1), name(0));
  await expect(pages).toContainText("51–52 of 52");

  // A first press is ascending, the next one turns it; both begin at the first page.
  const head = page.getByRole("columnheader", { name: "File Name" });
  await head.getByRole("link").click();
  await expect(head).toHaveAttribute("aria-sort", "ascending");
  await shows(page, 50);
  await firstFiles(page, name(0), name(1));
  await head.getByRole("link").click();
  await expect(head).toHaveAttribute("aria-sort", "descending");
  await firstFiles(page, name(51), name(50));
  const amount = page.getByRole("columnheader", { name: "Amount" });
  await amount.getByRole("link").click();
  await expect(amount).toHaveAttribute("aria-sort", "ascending");
  await firstFiles(page, name(7), name(51));

  await page.getByRole("navigation", { name: "File Upload Status" }).getByRole("link", { name: /^Completed with failures/ }).click();
  await arrived(/status=completed_with_failures/);
  await shows(page, 1);
  await firstFiles(page, name(7));
  await page.goBack();
  await shows(page, 50);
}

test("the list is searched, sorted, filtered and paged", async ({ as }) => {
  const page = await as("owner");
  await open(page, REFUNDS);
  await page.evaluate(() => Object.assign(window, { same: true }));
  // Typing is enough.
  await page.getByLabel("Search by file name").pressSequentially(name(3));
  await shows(page, 1);
  expect(await page.evaluate(() => "same" in window), "not loaded again").toBe(true);
  await open(page, REFUNDS);
  await journey(page, true);
});

test("the list is searched, sorted, filtered and paged without JavaScript", async ({ as }) => {
  const page = await as("owner", { javaScriptEnabled: false });
  await page.goto(REFUNDS);
  await journey(page, false);
});

test("a new batch is offered on an open list, and its row moves live", async ({ as }) => {
  const page = await as("owner");
  await open(page, REFUNDS);
  const owner = await client("owner");
  const batch = await batchOf(owner, `${unique("news")}.csv`, [{ order: unique("ORD_SLOW_"), amount: "1" }]);
  await owner.dispose();
  await page.getByRole("button", { name: /new batch(es)? – show/ }).click();
  const row = page.locator(`tr[data-batch="${batch}"]`);
  await expect(row.locator("[data-status]")).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  await expect(row).toContainText("1 of 1");
});
