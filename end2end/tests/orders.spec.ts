// Orders: found, looked at, and refunded without a file, through a checker to the gateway's own ledger.
import { readFileSync } from "node:fs";
import type { Page } from "@playwright/test";
import { BATCH, PEOPLE, REFUNDS, batchOf, batchStatus, client, expect, open, signIn, test, tile, unique } from "../support/app";
import { sound } from "../support/sound";

const SYNC = "/batch/batch-sync";

/** Orders that begin alike and that the gateway was asked about, in a batch that somebody approved. */
async function synchronised(count: number) {
  const shared = `${unique("ORD_STORE_")}_`;
  const orders = Array.from({ length: count }, (_, at) => `${shared}${at}`);
  const [maker, checker] = [await client("maker"), await client("checker")];
  const headers = { accept: "application/json", origin: process.env.BATCHDESK_URL! };
  const content = ["order_id,txn_id,unique_request_id", ...orders.map((order) => `${order},,`), ""].join("\n");
  const answer = await maker.post(SYNC, {
    headers,
    multipart: { description: "Made for a test", sync_with_gateway: "on", file: { name: `${unique("orders")}.csv`, mimeType: "text/csv", buffer: Buffer.from(content) } },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  const batch = (await answer.json()).batch_id as string;
  const api = { authorization: "Bearer bd_demo_acme" };
  const state = async () => (await (await checker.get(`/api/v1/batches/${batch}`, { headers: api })).json()) as { status: string };
  const page = await (await checker.get(`/approvals/${batch}`)).text();
  const content_hash = page.match(/name="content_hash" value="([0-9a-f]+)"/)![1];
  const decided = await checker.post(`/approvals/${batch}`, { form: { decision: "approve", content_hash }, headers: { origin: headers.origin }, maxRedirects: 0 });
  expect(decided.status()).toBe(303);
  await expect.poll(async () => (await state()).status, { timeout: 30_000 }).toBe("completed");
  await Promise.all([maker.dispose(), checker.dispose()]);
  return { orders, batch, shared };
}

/** What reached the gateway for an order, from its own ledger. */
function ledger(order: string) {
  const lines = readFileSync(process.env.BATCHDESK_LEDGER!, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter((line) => line.order_id === order && line.effect).map((line) => line.amount);
}

for (const javaScriptEnabled of [true, false]) {
  test(`two selected orders are refunded without a file, JavaScript ${javaScriptEnabled ? "on" : "off"}`, async ({ as, nobody, allow }) => {
    allow(/422/);
    test.slow();
    const { orders, shared } = await synchronised(3);
    const maker = await nobody({ javaScriptEnabled });
    await maker.goto("/login");
    await signIn(maker, PEOPLE.maker);
    await maker.waitForURL((url) => url.pathname === "/");
    await maker.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Orders", exact: true }).click();
    await maker.waitForURL("**/orders");
    await maker.getByLabel("Order or transaction").fill(`acme-${orders[0]}`);
    await maker.getByRole("button", { name: "Show", exact: true }).click();
    await maker.waitForURL(/\/orders\?q=acme-/);
    await expect(maker.locator("tbody tr")).toHaveCount(1);
    await expect(maker.getByText(`Transaction acme-${orders[0]}-1`)).toBeVisible();
    await maker.getByLabel("Order or transaction").fill(shared);
    await maker.getByLabel("Refunded", { exact: true }).selectOption("Not refunded");
    await maker.getByRole("button", { name: "Show", exact: true }).click();
    await expect(maker).toHaveURL(/refunded=none/);
    for (const order of orders.slice(0, 2)) await maker.getByRole("checkbox", { name: `Choose ${order} to refund it` }).check();
    await maker.getByRole("button", { name: "Refund selected orders" }).click();
    await maker.waitForURL(/\/orders\/refund\?order=/);
    const amount = (order: string) => maker.getByLabel(`Amount of ${order}`);
    await expect(amount(orders[0])).toHaveValue("100000.00");
    await expect(maker.locator('[data-total="amount"]')).toHaveText("₹2,00,000.00");
    // Too much, and no description: said where it is wrong, and nothing typed is lost.
    await amount(orders[0]).fill("100000.01");
    await amount(orders[1]).fill("12.50");
    await maker.getByRole("button", { name: "Ask for 2 refunds" }).click();
    await expect(maker.getByText("1 error. Nothing was made.")).toBeVisible();
    await expect(maker.locator('[data-finding][data-column="amount"]')).toContainText("Too much: ₹1,00,000.00 can be refunded.");
    await expect(amount(orders[1])).toHaveValue("12.50");
    await amount(orders[0]).fill("40");
    await maker.getByRole("button", { name: "Ask for 2 refunds" }).click();
    await expect(maker.getByText("Describe the refunds, so that the checker knows what they are for.")).toBeVisible();
    await maker.getByLabel("Description").fill("Two parcels that came back");
    await maker.getByRole("button", { name: "Ask for 2 refunds" }).click();
    await maker.waitForURL(BATCH);
    await expect(maker.getByText("2 refunds wait for a decision. Nothing is sent before it.")).toBeVisible();
    const batch = new URL(maker.url()).pathname.split("/").at(-1)!;
    expect(ledger(orders[0])).toEqual([]);

    const checker = await as("checker");
    await open(checker, `/approvals/${batch}`);
    await expect(checker.getByText("Two parcels that came back").first()).toBeVisible();
    await checker.getByRole("button", { name: "Approve", exact: true }).click();
    await expect(checker.getByText("Approved by")).toBeVisible();
    await open(checker, `${REFUNDS}/${batch}`);
    await expect(batchStatus(checker)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
    await expect(tile(checker, "accepted")).toHaveText("2");
    expect(ledger(orders[0])).toEqual(["40.00"]);
    expect(ledger(orders[1])).toEqual(["12.50"]);

    // The order's page tells of it, and what is left is less.
    await maker.goto(`/orders/${orders[0]}`);
    await expect(maker.getByRole("heading", { level: 1, name: orders[0] })).toBeVisible();
    await expect(maker.getByText("₹40.00 was refunded")).toBeVisible();
    await expect(maker.locator(".tiles")).toContainText("99,960.00");
    await maker.getByRole("link", { name: "Row 1", exact: true }).first().click();
    await maker.waitForURL(/\/tasks\/1$/);
    await maker.getByRole("link", { name: "The order", exact: true }).click();
    await maker.waitForURL(`**/orders/${orders[0]}`);
  });
}

test("an order that was never synchronised is asked about from its page", async ({ as }) => {
  const owner = await as("owner");
  const refund = { order: unique("ORD_ASKED_"), amount: "40.00", key: unique("R") };
  const batch = await batchOf(owner.request, `${unique("asked")}.csv`, [refund]);
  await open(owner, `${REFUNDS}/${batch}`);
  await expect(batchStatus(owner)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  await owner.goto(`/orders/${refund.order}`);
  await expect(owner.getByText("Never synchronised.")).toBeVisible();
  await owner.getByRole("button", { name: "Synchronise this order" }).click();
  await owner.waitForURL(/\/batch\/batch-sync\/[0-9a-f-]{36}$/);
  const refunds = owner.getByRole("table", { name: "Refunds at the gateway" });
  await expect(async () => {
    await owner.goto(`/orders/${refund.order}`);
    await expect(refunds).toContainText("SUCCESS", { timeout: 1_000 });
  }).toPass({ timeout: 30_000 });
  await expect(owner.getByText("1 refund at the gateway")).toBeVisible();
  await owner.getByText("Answer as it came").click();
  await expect(owner.locator("details pre").last()).toContainText(refund.order);
  // The gateway's refund is ours: its key leads to its history.
  await refunds.getByRole("link", { name: refund.key }).click();
  await owner.waitForURL(/\/tasks\/1$/);
});

test("an order that was never synchronised says so, a reader is offered nothing, and the pages are sound", async ({ as }) => {
  test.slow();
  const { orders } = await synchronised(2);
  const maker = await as("maker");
  const [known] = orders;
  for (const [path, name] of [
    ["/orders", "the list"],
    ["/orders?q=zzzz&status=CHARGED", "nothing found"],
    [`/orders/${known}`, "an order"],
    [`/orders/refund?order=${known}&order=${orders[1]}&order=NO_SUCH`, "the form"],
    ["/orders/refund", "the form without orders"],
    ["/search?q=ORD_STORE_", "the search"],
  ]) {
    await maker.goto(path);
    await sound(maker, name);
  }
  await maker.goto("/orders?q=zzzz");
  await expect(maker.getByRole("heading", { name: "No stored order or transaction begins with zzzz" })).toBeVisible();
  // The demo has refunds of orders that nobody asked the gateway about.
  await maker.goto(`${REFUNDS}?sort=-created`);
  const viewer = await as("viewer");
  await viewer.goto("/search?q=ORD_4");
  const order = (await viewer.getByRole("table", { name: "Tasks that were found" }).locator("tbody a.name").first().innerText()).trim();
  await viewer.goto(`/orders/${order}`);
  await expect(viewer.getByText("Never synchronised.")).toBeVisible();
  await expect(viewer.getByRole("button", { name: "Synchronise this order" })).toHaveCount(0);
  await sound(viewer, "an order that was never synchronised");
  await viewer.goto("/orders");
  await expect(viewer.getByRole("checkbox")).toHaveCount(0);
  await expect(viewer.getByRole("button", { name: "Refund selected orders" })).toHaveCount(0);
});

test("who may not read orders is told so, inside the frame", async ({ as, allow }) => {
  allow(/403/);
  const admin = await as("admin");
  expect((await admin.goto("/orders"))!.status()).toBe(403);
  await expect(admin.getByRole("navigation", { name: "Main" })).toBeVisible();
  await expect(admin.getByRole("link", { name: "Orders", exact: true })).toHaveCount(0);
  await expect(admin.getByText(/You need orders – Read/)).toBeVisible();
});
