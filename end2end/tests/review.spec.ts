// What the gateway cannot tell: the maker proposes, the checker confirms, the batch ends.
import type { Page } from "@playwright/test";
import { REFUNDS, batchOf, batchStatus, client, expect, open, plain, test, tile, unique } from "../support/app";
import { sound } from "../support/sound";


/** A batch of one plain refund and two that the gateway cannot tell the end of, approved. */
async function inReview() {
  const maker = await client("maker");
  const rows = [plain("100.50"), { order: unique("ORD_REVIEW_"), amount: "12.25", key: unique("R") }, { order: unique("ORD_REVIEW_"), amount: "3.00", key: unique("R") }];
  const name = `${unique("review")}.csv`;
  const batch = await batchOf(maker, name, rows);
  await maker.dispose();
  return { batch, name, orders: rows.slice(1).map((row) => row.order) };
}

async function approve(page: Page, batch: string) {
  await open(page, `/approvals/${batch}`);
  await page.getByRole("button", { name: "Approve", exact: true }).click();
  await expect(page.getByText("Approved by")).toBeVisible();
}

for (const javaScriptEnabled of [true, false]) {
  test(`two people end what the gateway cannot tell, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async ({ as, allow }) => {
    allow(/422/);
    // Four people's sign-ins and ten pages.
    test.slow();
    const { batch, name, orders } = await inReview();
    const watching = await as("checker");
    await approve(watching, batch);
    await open(watching, `${REFUNDS}/${batch}`);
    await expect(watching.getByText("2 refunds need review.")).toBeVisible({ timeout: 30_000 });
    await watching.getByRole("main").getByRole("link", { name: "Review", exact: true }).last().click();
    await watching.waitForURL(`**/review?batch=${batch}`);

    const maker = await as("maker", { javaScriptEnabled });
    await maker.goto("/review");
    await expect(maker.getByRole("link", { name: new RegExp(name) }).first()).toBeVisible();
    // With one batch in review there is nothing to choose from.
    await maker.goto(`/review?batch=${batch}`);
    await expect(maker.getByText("The gateway itself cannot tell").first()).toBeVisible();
    const item = (order: string) => maker.locator("li", { hasText: order });
    // Nothing chosen: said, nothing changed.
    await item(orders[0]).getByRole("checkbox").check();
    await maker.getByLabel("How do you know?").fill("Asked the gateway's support, ticket 4711");
    await maker.getByRole("button", { name: "Propose", exact: true }).click();
    await expect(maker.getByText("Choose what became of them.")).toBeVisible();
    await expect(maker.getByLabel("How do you know?")).toHaveValue("Asked the gateway's support, ticket 4711");
    await expect(item(orders[0]).getByRole("checkbox")).toBeChecked();
    await item(orders[0]).getByLabel("Gateway's reference").fill("GW-4711");
    await maker.getByRole("radio", { name: /^Done/ }).check();
    await maker.getByRole("button", { name: "Propose", exact: true }).click();
    await expect(maker.getByText("Proposed for 1 refund.")).toBeVisible();
    await expect(maker.getByRole("button", { name: "Confirm", exact: true })).toHaveCount(0);

    // The other one was not done.
    await maker.getByRole("radio", { name: /^Not done/ }).check();
    await maker.getByLabel("How do you know?").fill("Not in the settlement file");
    await maker.getByRole("button", { name: "Propose", exact: true }).click();
    await expect(maker.getByText("2 refunds: your proposal waits")).toBeVisible();

    const checker = await as("checker", { javaScriptEnabled });
    await checker.goto(`/review?batch=${batch}`);
    await expect(checker.getByText("Done, with the gateway's reference GW-4711")).toBeVisible();
    for (const box of await checker.getByRole("checkbox").all()) await box.check();
    await checker.getByRole("button", { name: "Confirm", exact: true }).click();
    await expect(checker.getByText("Confirmed for 2 refunds.")).toBeVisible();
    await expect(checker.getByText("Nothing of this batch is in review.")).toBeVisible();

    await watching.goto(`${REFUNDS}/${batch}`);
    await expect(batchStatus(watching)).toHaveAttribute("data-status", "completed_with_failures");
    await expect(tile(watching, "accepted")).toHaveText("2");
    await expect(tile(watching, "rejected")).toHaveText("1");
    await expect(watching.getByText("Two people found that it was not carried out").first()).toBeVisible();
  });
}

test("the review pages are sound", async ({ as }) => {
  const { batch } = await inReview();
  const checker = await as("checker");
  await approve(checker, batch);
  await open(checker, `${REFUNDS}/${batch}`);
  await expect(checker.getByText("2 refunds need review.")).toBeVisible({ timeout: 30_000 });
  const maker = await as("maker");
  await maker.goto(`/review?batch=${batch}`);
  for (const fold of await maker.locator("details.evidence > summary").all()) await fold.click();
  await sound(maker, "a batch in review");
  await maker.getByRole("checkbox").first().check();
  await maker.getByRole("radio", { name: /^Not done/ }).check();
  await maker.getByLabel("How do you know?").fill("Not in the settlement file");
  await maker.getByRole("button", { name: "Propose", exact: true }).click();
  await expect(maker.getByText("Proposed for 1 refund.")).toBeVisible();
  await sound(maker, "a proposal of one's own");
  await checker.goto("/review");
  await sound(checker, "all in review, as the one who confirms");
});

test("a batch that agrees with the gateway says so", async ({ as }) => {
  test.slow();
  const owner = await as("owner");
  const batch = await batchOf(owner.request, `${unique("agrees")}.csv`, [plain("1.00"), { order: unique("ORD_DECLINE_"), amount: "2.00", key: unique("R") }]);
  await open(owner, `${REFUNDS}/${batch}`);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed_with_failures", { timeout: 30_000 });
  // It is compared a little later, and the page is at rest by then.
  await expect(async () => {
    await owner.reload();
    await expect(owner.getByText(/Reconciled .* IST: 2 of 2 agree\. All are final\./)).toBeVisible({ timeout: 2_000 });
  }).toPass({ timeout: 60_000 });
});
