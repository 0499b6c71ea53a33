// One stream of live events for all tabs of a browser: they share it, hand it over, and close it.
import type { BrowserContext, Page, Request } from "@playwright/test";
import { REFUNDS, batchOf, batchStatus, client, expect, open, plain, test, tile, unique } from "../support/app";

/** The streams of a browser: those that were ever asked for, and those that are open. */
function streams(context: BrowserContext) {
  const asked: string[] = [];
  const opened = new Set<Request>();
  context.on("request", (request) => {
    if (!request.url().includes("/events?")) return;
    asked.push(request.url());
    opened.add(request);
  });
  context.on("requestfinished", (request) => void opened.delete(request));
  context.on("requestfailed", (request) => void opened.delete(request));
  // A page that is closed takes its requests with it, without another word.
  const lives = (request: Request) => !request.frame().page().isClosed();
  return { asked, open: () => [...opened].filter(lives).length };
}

/** A batch that is under way for some seconds. */
async function underWay(rows = 120) {
  const owner = await client("owner");
  const slow = Array.from({ length: 3 }, () => ({ order: unique("ORD_SLOW_"), amount: "10.00" }));
  const batch = await batchOf(owner, `${unique("shared")}.csv`, [...Array.from({ length: rows }, () => plain("10.00")), ...slow]);
  await owner.dispose();
  return batch;
}

const live = (page: Page) => page.locator('.live[data-state="live"]');

test("eight tabs move over one stream", async ({ as }) => {
  const first = await as("owner");
  const seen = streams(first.context());
  const rows = 400;
  const batches = [await underWay(rows), await underWay(rows)];
  // They stand still until every tab is there, however long that takes: an ended batch has nothing to follow.
  const owner = await client("owner");
  const all = async (what: "pause" | "resume") => {
    for (const batch of batches) {
      const headers = { origin: process.env.BATCHDESK_URL! };
      const answer = await owner.post(`${REFUNDS}/${batch}/${what}`, { headers, maxRedirects: 0 });
      expect(answer.status(), what).toBe(303);
    }
  };
  await all("pause");
  const tabs = [first, ...(await Promise.all(Array.from({ length: 7 }, () => first.context().newPage())))];
  await Promise.all(tabs.map((tab, at) => open(tab, at === 7 ? REFUNDS : `${REFUNDS}/${batches[at % 2]}`)));
  for (const tab of tabs.slice(0, 7)) await expect(live(tab)).toHaveCount(1);
  expect(seen.open(), `one stream at a time: ${seen.asked.join("\n")}`).toBe(1);
  await all("resume");
  await owner.dispose();
  for (const tab of tabs.slice(0, 7)) {
    await expect(batchStatus(tab)).toHaveAttribute("data-status", "completed", { timeout: 50_000 });
    await expect(tile(tab, "accepted")).toHaveText(String(rows + 3));
  }
  const list = tabs[7];
  for (const batch of batches) {
    const row = list.locator("tr", { has: list.locator(`a[href$="${batch}"]`) });
    await expect(row.locator("[data-status]").first()).toHaveAttribute("data-status", "completed");
  }
  expect(seen.open(), `one stream at a time: ${seen.asked.join("\n")}`).toBe(1);
  // The stream is widened for what more is watched: two batches and a list, whatever the number of tabs.
  expect(seen.asked.length).toBeLessThanOrEqual(4);
  await first.context().close();
});

test("closing the tab that holds the stream hands it over, and the end is not lost", async ({ as }) => {
  const first = await as("owner");
  const seen = streams(first.context());
  const batch = await underWay();
  await open(first, `${REFUNDS}/${batch}`);
  await expect(live(first)).toHaveCount(1);
  const second = await first.context().newPage();
  await open(second, `${REFUNDS}/${batch}`);
  await expect(live(second)).toHaveCount(1);
  expect(seen.asked.length, "the second tab needs none of its own").toBe(1);
  await first.close();
  await expect(batchStatus(second)).toHaveAttribute("data-status", "completed", { timeout: 50_000 });
  await expect(tile(second, "accepted")).toHaveText("123");
  await expect(live(second)).toHaveCount(1);
  expect(seen.open()).toBe(1);
  await second.context().close();
});

test("a tab that is hidden gives the stream to one that is seen, and without any there is none", async ({ as }) => {
  const first = await as("owner");
  const seen = streams(first.context());
  const batch = await underWay(1);
  const hide = (page: Page, hidden: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await open(first, `${REFUNDS}/${batch}`);
  await expect(live(first)).toHaveCount(1);
  const second = await first.context().newPage();
  await open(second, `${REFUNDS}/${batch}`);
  await expect(live(second)).toHaveCount(1);
  await hide(first, true);
  await expect(first.locator('.live[data-state="off"]')).toHaveCount(1);
  await expect.poll(() => seen.asked.length, "the other tab has taken over").toBe(2);
  await expect(live(second)).toHaveCount(1);
  expect(seen.open()).toBe(1);
  await hide(second, true);
  await expect.poll(() => seen.open(), "nobody looks").toBe(0);
  await hide(first, false);
  await expect(live(first)).toHaveCount(1);
  expect(seen.open()).toBe(1);
  await first.context().close();
});

test("where the browser has no locks each tab has a stream of its own", async ({ as }) => {
  const first = await as("owner");
  await first.context().addInitScript(() => void delete (Navigator.prototype as { locks?: unknown }).locks);
  const seen = streams(first.context());
  const batch = await underWay(1);
  const second = await first.context().newPage();
  for (const tab of [first, second]) {
    await open(tab, `${REFUNDS}/${batch}`);
    await expect(live(tab)).toHaveCount(1);
  }
  expect(seen.open()).toBe(2);
  await first.context().close();
});

test("whoever signs in anew is not followed by the pages of whoever was there before", async ({ as, allow }) => {
  allow(/409.*\/events\?/, /\/events\?.*409/, /status of 409/, /401.*\/events\?/, /\/events\?.*401/, /status of 401/, /request failed: GET \S+\/events\?/);
  const first = await as("viewer");
  const batch = await (async () => {
    const maker = await client("maker");
    const batch = await batchOf(maker, `${unique("stays")}.csv`, [plain("1")]);
    await maker.dispose();
    return batch;
  })();
  await open(first, `${REFUNDS}/${batch}`);
  await expect(live(first)).toHaveCount(1);
  const refused = first.waitForResponse((answer) => answer.url().includes("/events?") && answer.status() === 409);
  const answer = await first.request.post("/login", {
    form: { email: "checker@acme.test", password: "batchdesk-demo" },
    headers: { origin: process.env.BATCHDESK_URL! },
    maxRedirects: 0,
  });
  expect(answer.status()).toBe(303);
  const second = await first.context().newPage();
  await open(second, `${REFUNDS}/${batch}`);
  await expect(live(second)).toHaveCount(1);
  await refused;
  await expect(live(first)).toHaveCount(0);
});
