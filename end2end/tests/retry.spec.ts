// Failed rows are corrected where they are and sent again: with scripts and without, from the failure to the refund.
import type { Page } from "@playwright/test";
import { PEOPLE, REFUNDS, batchOf, batchStatus, client, expect, open, signIn, test, tile, unique } from "../support/app";
import { sound } from "../support/sound";

const ended = "completed_with_failures";

/** A batch of Acme with three rows, of which the second was declined and the third is unknown at the gateway. */
async function failed() {
  const maker = await client("maker");
  const orders = [unique("ORD"), unique("ORD_DECLINE_"), unique("ORD_MISSING_")];
  const batch = await batchOf(maker, `${unique("failed")}.csv`, orders.map((order, at) => ({ order, amount: `${at + 1}0.00`, key: unique("R") })));
  await maker.dispose();
  return { batch, orders };
}

/** The checker's decision on what waits, on its page. */
async function approve(page: Page, batch: string) {
  await page.goto(`/approvals/${batch}`);
  await page.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(page.getByText(`Approved by ${PEOPLE.checker}`)).toBeVisible();
}

const until = (page: Page, batch: string, status: string) =>
  expect(async () => {
    await page.goto(`${REFUNDS}/${batch}`);
    await expect(batchStatus(page)).toHaveAttribute("data-status", status, { timeout: 500 });
  }).toPass({ timeout: 30_000 });

const cell = (page: Page, row: number, column: string) => page.locator(`#c-${row}-${column}`);
const total = (page: Page, what: string) => page.locator(`[data-total="${what}"]`);

/** The whole history, on pages that may or may not have scripts. */
async function retryJourney(maker: Page, checker: Page, other: Page, look: (page: Page) => Promise<void>) {
  const { batch, orders } = await failed();
  await approve(checker, batch);
  await until(maker, batch, ended);
  await maker.getByRole("link", { name: "Send failed rows again" }).first().click();
  await maker.waitForURL(`**/${batch}/retry`);
  await expect(maker.locator(".again-rows > li")).toHaveCount(2);
  await expect(maker.locator("#row-4 [data-fails-again]")).toBeVisible();
  await expect(total(maker, "before")).toHaveText("₹50.00");

  // What cannot be sent is named at its cell and stays; nothing is queued.
  await cell(maker, 3, "order_id").fill(unique("ORD"));
  await cell(maker, 3, "amount").fill("2,000");
  await maker.getByRole("button", { name: "Ask to send 2 rows again" }).click();
  await expect(maker.locator('[data-finding][data-row="3"][data-column="amount"]')).toContainText("Invalid data type");
  await expect(cell(maker, 3, "amount")).toHaveValue("2,000");
  await expect(cell(maker, 3, "amount")).toHaveAttribute("aria-invalid", "true");
  const corrected = unique("ORD");
  await cell(maker, 3, "order_id").fill(corrected);
  await cell(maker, 3, "amount").fill("15.50");
  // Enter looks at it and sends nothing.
  await cell(maker, 3, "amount").press("Enter");
  await expect(maker.locator("[data-finding]")).toHaveCount(0);
  await expect(total(maker, "now")).toContainText("₹45.50");
  await expect(total(maker, "changed")).toHaveText("1");
  await expect(maker.locator("#row-3")).toContainText(`was ${orders[1]}`);
  await look(maker);
  // The unknown order is left out.
  await maker.locator("#row-4").getByRole("checkbox").uncheck();
  await maker.getByRole("button", { name: "Check", exact: true }).click();
  await expect(total(maker, "now")).toContainText("₹15.50");
  await maker.getByRole("button", { name: "Ask to send 1 row again" }).click();
  await maker.waitForURL(`**${REFUNDS}/${batch}`);
  await expect(maker.getByText("1 failed row waits for a decision")).toBeVisible();
  await expect(batchStatus(maker)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(tile(maker, "queued")).toHaveText("1");
  await expect(tile(maker, "accepted")).toHaveText("1");
  await expect(tile(maker, "rejected")).toHaveText("1");

  // Another maker's page that was open before says who was first.
  await other.goto(`${REFUNDS}/${batch}/retry`);
  await expect(other.getByText("Nothing can be sent again now.")).toBeVisible();

  // The maker may not decide; the checker sees what it was and what it is to be.
  await maker.goto(`/approvals/${batch}`);
  await expect(maker.getByRole("button", { name: "Approve", exact: true })).toHaveCount(0);
  await checker.goto(`/approvals/${batch}`);
  const asked = checker.locator("[data-retry]");
  await expect(asked.locator("del")).toHaveText([orders[1], "20.00"]);
  await expect(asked.locator("ins")).toHaveText([corrected, "15.50"]);
  await expect(asked).toContainText("Refund is not allowed.");
  await expect(checker.locator("#decision")).toContainText("₹15.50");
  await look(checker);
  await approve(checker, batch);
  await until(maker, batch, ended);
  await expect(tile(maker, "accepted")).toHaveText("2");
  await expect(tile(maker, "rejected")).toHaveText("1");
  await expect(maker.getByRole("region", { name: "Retries" }).or(maker.locator('[aria-labelledby="revisions"]')).first()).toContainText("Retry 1");

  // The task's whole history.
  await maker.locator("main tbody").getByRole("link", { name: corrected }).click();
  await maker.waitForURL(`**/${batch}/tasks/2`);
  const steps = maker.locator("[data-step]");
  await expect(steps.first()).toHaveAttribute("data-step", "file");
  expect(await steps.evaluateAll((all) => all.map((step) => (step as HTMLElement).dataset.step))).toEqual(
    ["file", "decision", "order", "attempt", "reply", "outcome", "retry", "decision", "order", "attempt", "reply", "outcome"],
  );
  await look(maker);
  return { batch, corrected };
}

test("failed rows are corrected, approved and refunded in place", async ({ as, allow }) => {
  test.setTimeout(180_000);
  allow(/422/, /favicon/);
  const [maker, checker, other] = [await as("maker"), await as("checker"), await as("maker2")];
  const { batch } = await retryJourney(maker, checker, other, sound);
  // The simulator's own books: each key moved money once.
  await open(maker, `${REFUNDS}/${batch}`);
  await expect(maker.locator('main tbody [data-status="ACCEPTED"]')).toHaveCount(2);
});

test("the same without JavaScript", async ({ nobody, allow }) => {
  test.setTimeout(180_000);
  allow(/422/);
  const off = { javaScriptEnabled: false };
  const pages: Page[] = [];
  for (const email of [PEOPLE.maker, PEOPLE.checker, PEOPLE.maker2]) {
    const page = await nobody(off);
    await page.goto("/login");
    await signIn(page, email);
    await page.waitForURL((url) => url.pathname === "/");
    pages.push(page);
  }
  await retryJourney(pages[0], pages[1], pages[2], async () => {});
});

test("a row that would fail again is marked, ticking none keeps what was typed, and a stale page sends nothing", async ({ as, allow }) => {
  test.setTimeout(90_000);
  allow(/412/, /422/);
  const { batch } = await failed();
  const checker = await as("checker");
  await approve(checker, batch);
  const maker = await as("maker", { viewport: { width: 390, height: 844 } });
  await until(maker, batch, ended);
  await maker.goto(`${REFUNDS}/${batch}/retry`);
  await sound(maker, "a retry");
  await cell(maker, 4, "amount").fill("31");
  await maker.getByRole("button", { name: "Tick none" }).click();
  await expect(cell(maker, 4, "amount")).toHaveValue("31");
  await expect(total(maker, "rows")).toHaveText("0 of 2");
  await maker.getByRole("button", { name: "Ask to send 0 rows again" }).click();
  await expect(maker.getByText("No row is chosen")).toBeVisible();
  await maker.getByRole("button", { name: "Tick all" }).click();
  // Somebody else is first.
  const other = await as("maker2");
  await other.goto(`${REFUNDS}/${batch}/retry`);
  await other.getByRole("button", { name: "Ask to send 2 rows again" }).click();
  await other.waitForURL(`**${REFUNDS}/${batch}`);
  await maker.getByRole("button", { name: "Ask to send 2 rows again" }).click();
  await expect(maker.getByText(`${PEOPLE.maker2} sent 2 failed rows of this batch again meanwhile`)).toBeVisible();
  // Who asked takes it back; the rows are failed again.
  await open(other, `${REFUNDS}/${batch}`);
  await other.getByRole("button", { name: "Withdraw" }).first().click();
  await expect(batchStatus(other)).toHaveAttribute("data-status", ended);
  await expect(tile(other, "rejected")).toHaveText("2");
});
