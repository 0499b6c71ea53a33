// Every page, wide and narrow, by day and by night: it answers, it hydrates without a word in the console, it has no
// accessibility fault that axe can see, and nothing sticks out sideways.
import type { Page } from "@playwright/test";
import { REFUNDS, batchOf, batchStatus, choose, client, expect, open, plain, send, refunds, test, unique } from "../support/app";
import { sound } from "../support/sound";

async function visit(page: Page, path: string, status = 200) {
  await page.setViewportSize({ width: 1280, height: 800 });
  const answer = await open(page, path);
  expect(answer?.status(), path).toBe(status);
  await sound(page, path);
}

test("sign-in is sound", async ({ nobody, allow }) => {
  allow(/422/);
  const page = await nobody();
  await visit(page, "/login");
  await page.getByLabel("Email").fill("viewer@acme.test");
  await page.getByLabel("Password", { exact: true }).fill("not-the-password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await sound(page, "a wrong password");
});

test("a maker's pages are sound", async ({ as, allow }) => {
  allow(/404/);
  const page = await as("maker");
  const waiting = await batchOf(page.request, `${unique("sound")}.csv`, [plain("1000")]);
  await visit(page, "/");
  await visit(page, REFUNDS);
  await visit(page, `${REFUNDS}?q=no-such-file`);
  await visit(page, `${REFUNDS}/new`);
  await visit(page, `${REFUNDS}/new/description`);
  await visit(page, `${REFUNDS}/${waiting}`);
  await visit(page, "/approvals?show=submitted");
  // What is not there is said by a page without scripts.
  await page.setViewportSize({ width: 1280, height: 800 });
  expect((await page.goto("/no-such-page"))?.status()).toBe(404);
  await sound(page, "/no-such-page");
});

test("on phones, where targets are large, everything in the bar is within reach", async ({ as }) => {
  const page = await as("maker", { hasTouch: true, viewport: { width: 390, height: 844 } });
  // The stream stands at its beginning until it was looked at.
  let go = () => {};
  const held = new Promise<void>((done) => (go = done));
  await page.route(/\/events\?/, async (route) => {
    await held;
    await route.continue();
  });
  const within = async (state: string) => {
    await expect(page.locator(".bar .live")).toHaveAttribute("data-state", state);
    for (const width of [390, 360]) {
      await page.setViewportSize({ width, height: 844 });
      const ends = await page.locator(".bar :is(a, button)").evaluateAll((all) =>
        all.filter((one) => one.checkVisibility()).map((one) => [one.getAttribute("aria-label"), one.getBoundingClientRect().right] as const));
      expect(ends.length).toBeGreaterThan(4);
      expect(ends.filter(([, right]) => right > width), `${state}, ${width} pixels`).toEqual([]);
    }
  };
  await open(page, REFUNDS);
  await within("again");
  go();
  await within("live");
  await page.getByRole("button", { name: "Pause updates" }).click();
  await within("paused");
});

test("the page that takes a file is sound, empty and with findings", async ({ as }) => {
  const page = await as("owner");
  await visit(page, `${REFUNDS}/new`);
  const bad = [plain("1,5"), plain("ten"), { order: "", amount: "3" }];
  const answer = await send(page.request, `${unique("bad")}.csv`, refunds(bad).replace("1,5", '"1,5"'));
  expect(answer.status()).toBe(422);
  await visit(page, `${REFUNDS}/new?upload=${(await answer.json()).upload}`);
  await page.setViewportSize({ width: 1280, height: 800 });
  await open(page, `${REFUNDS}/new`);
  await choose(page, `${unique("bad")}.csv`, refunds(bad).replace("1,5", '"1,5"'));
  await expect(page.locator("[data-finding]")).toHaveCount(3);
  await sound(page, "a file with findings");
});

test("a checker's pages are sound", async ({ as }) => {
  const maker = await client("maker2");
  const batch = await batchOf(maker, `${unique("decide")}.csv`, [plain("250.50"), plain("250.50"), { order: unique("ORD_DECLINE_"), amount: "9" }]);
  await maker.dispose();
  const page = await as("checker");
  await visit(page, "/approvals");
  await visit(page, `/approvals/${batch}`);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(page.getByText("Approved by")).toBeVisible();
  await sound(page, "a decision that was made");
  await page.goto(`${REFUNDS}/${batch}`);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  await visit(page, `${REFUNDS}/${batch}`);
  await visit(page, "/approvals?show=decided");
});

test("the front page of an organisation without approvals is sound", async ({ as }) => {
  const page = await as("owner");
  await visit(page, "/");
  await visit(page, REFUNDS);
});
