// A batch that takes a while: its page moves without being loaded again, numbers and rows, and does not break on the way.
import { REFUNDS, batchOf, batchStatus, client, expect, follow, open, plain, seen, test, tile, unique } from "../support/app";

test("a page of a batch under way follows it, numbers and rows, until it ends", async ({ as }) => {
  const owner = await client("owner");
  const rows = Array.from({ length: 400 }, () => plain("10.00"));
  // One that answers late keeps the batch under way for at least two seconds.
  const batch = await batchOf(owner, `${unique("long")}.csv`, [...rows, { order: unique("ORD_SLOW_"), amount: "10.00" }]);
  // It stands still until the page is there and watched, however long that takes.
  const act = async (what: "pause" | "resume") => {
    const headers = { origin: process.env.BATCHDESK_URL! };
    const answer = await owner.post(`${REFUNDS}/${batch}/${what}`, { headers, maxRedirects: 0 });
    expect(answer.status(), what).toBe(303);
  };
  await act("pause");
  const page = await as("owner", { reducedMotion: "no-preference" });
  let readAgain = 0;
  page.on("response", (answer) => void (readAgain += Number(answer.url().endsWith("/api/batches/detail"))));
  await open(page, `${REFUNDS}/${batch}`);
  await follow(page);
  await page.evaluate(() => {
    const numbers = new Set<string>();
    Object.assign(window, { numbers });
    const look = () => numbers.add(document.querySelector('[data-count="queued"]')?.textContent ?? "");
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await act("resume");
  await owner.dispose();
  // Rows come while the batch still runs: they are read again, not only counted.
  await expect(page.locator('main tbody [data-status="ACCEPTED"]').first()).toBeVisible();
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 50_000 });
  await expect(tile(page, "accepted")).toHaveText("401");
  await expect(page.locator('main tbody [data-status="ACCEPTED"]')).toHaveCount(50);
  expect(await seen(page)).toEqual(["paused", "processing", "completed"]);
  const numbers = await page.evaluate(() => [...(window as unknown as { numbers: Set<string> }).numbers].map(Number));
  expect(numbers.length, `the counter moved step by step: ${numbers}`).toBeGreaterThan(3);
  expect([...numbers].sort((one, other) => other - one), "and only downwards").toEqual(numbers);
  expect(readAgain, "rows were read again on the way").toBeGreaterThan(1);
});
