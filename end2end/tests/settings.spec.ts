// Connections and stops, in a demo of their own: they decide where everybody's batches go.
import { readFileSync } from "node:fs";
import { test as base, expect, type Browser, type Page } from "@playwright/test";
import { PASSWORD, PEOPLE, type Role, plain, refunds } from "../support/app";
import { startDemo } from "../support/server.mjs";
import { sound } from "../support/sound";

const LIST = "/settings/connections";

const test = base.extend<{}, { demo: { url: string; simulator: string; stop: () => Promise<void> } }>({
  demo: [
    async ({}, use) => {
      const demo = await startDemo(["--latency-ms", "5..20"]);
      const run = JSON.parse(readFileSync(`${demo.folder}/data/run.json`, "utf8"));
      await use({ url: demo.url, simulator: run.simulator, stop: demo.stop });
      await demo.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});
test.describe.configure({ mode: "serial" });

async function as(browser: Browser, url: string, role: Role, javaScriptEnabled: boolean) {
  const context = await browser.newContext({ baseURL: url, javaScriptEnabled, reducedMotion: "reduce" });
  const answer = await context.request.post("/login", {
    form: { email: PEOPLE[role], password: PASSWORD },
    headers: { origin: url },
    maxRedirects: 0,
  });
  expect(answer.status()).toBe(303);
  return context.newPage();
}

/** Adds the other merchant's sandbox; answers the address of its page. */
async function add(page: Page, simulator: string, merchant: string) {
  await page.goto(LIST);
  await page.getByRole("link", { name: "Add connection" }).click();
  await page.getByLabel("Address").fill(simulator);
  await page.getByLabel("Merchant id").fill(merchant);
  await page.getByLabel("API key").fill(`sim_${merchant}`);
  await page.getByLabel("It is a sandbox").check();
  await page.locator("#add-reason").fill("The other merchant");
  await page.getByRole("button", { name: "Add connection", exact: true }).click();
  await expect(page.getByText("The connection was added. It works")).toBeVisible();
  return new URL(page.url()).pathname;
}

for (const [how, scripts, merchant, role] of [
  ["with JavaScript", true, "globex", "admin"],
  ["without JavaScript", false, "acme", "owner"],
] as const) {
  test(`a connection is added, tested, paused, resumed and chosen ${how}`, async ({ browser, demo }) => {
    const page = await as(browser, demo.url, role, scripts);
    await page.goto("/");
    await page.getByRole("link", { name: "Settings", exact: true }).click();
    await page.getByRole("link", { name: "Open Connections" }).click();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Connections");

    // Bad input is refused where it is typed, and what was typed stays; the key does not.
    await page.getByRole("link", { name: "Add connection" }).click();
    await page.getByLabel("Address").fill("https://10.0.0.1");
    await page.getByLabel("Merchant id").fill(merchant);
    await page.getByLabel("API key").fill("sim_wrong");
    await page.getByRole("button", { name: "Add connection", exact: true }).click();
    await expect(page.locator("#add-base_url-error")).toContainText("lies in a private network");
    await expect(page.getByLabel("Address")).toHaveValue("https://10.0.0.1");
    await expect(page.getByLabel("API key")).toHaveValue("");
    await page.getByLabel("Address").fill(demo.simulator);
    await page.getByLabel("API key").fill("sim_wrong");
    await page.getByRole("button", { name: "Add connection", exact: true }).click();
    await expect(page.locator("#add-api_key-error")).toContainText(`refused this key for the merchant ${merchant} (status 401)`);
    expect(await page.content()).not.toContain("sim_wrong");

    const path = await add(page, demo.simulator, merchant);
    expect(await page.content()).not.toContain(`sim_${merchant}`);
    await page.getByRole("button", { name: "Test", exact: true }).click();
    await expect(page.getByText("It works: Juspay answered at")).toBeVisible();

    await page.locator("#pause-reason").fill("Their maintenance, until noon");
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await expect(page.locator("[data-sending=paused]").first()).toBeVisible();
    await expect(page.getByText("“Their maintenance, until noon”")).toBeVisible();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await expect(page.locator("[data-sending=sending]").first()).toBeVisible();

    await page.getByLabel("Requests a second").fill("0");
    await page.getByRole("button", { name: "Save limits" }).click();
    await expect(page.locator("#limits-rate_limit-error")).toContainText("at least 1");
    await page.getByLabel("Requests a second").fill("50");
    await page.getByRole("button", { name: "Save limits" }).click();
    await expect(page.getByLabel("Requests a second")).toHaveValue("50");

    // What sends money elsewhere says so, and asks for a reason.
    await page.getByRole("button", { name: "Use for new batches" }).click();
    await expect(page.locator("#choose-reason-error")).toContainText("Say why");
    await page.locator("#choose-reason").fill("Its fees are lower");
    await page.getByRole("button", { name: "Use for new batches" }).click();
    await expect(page.getByText("New batches use this connection.")).toBeVisible();
    await page.goto(LIST);
    const row = page.locator(`[data-connection="${path.split("/").at(-1)}"]`);
    await expect(row).toContainText("Use it");
    await expect(row).toContainText("50 a second at most");
    await expect(row).toContainText("not measured: treated as N");
    expect(await page.content()).not.toContain("sim_");
    await page.context().close();
  });
}

test("a sandbox is measured and says what was seen", async ({ browser, demo }) => {
  const page = await as(browser, demo.url, "admin", true);
  await page.goto(LIST);
  await page.getByRole("link", { name: "Juspay (globex)" }).click();
  await page.getByText("Measure it").click();
  await page.getByLabel("Order", { exact: true }).fill("ORD_MISSING_1");
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await expect(page.locator("#measure-order-error")).toContainText("does not know the order");
  await page.getByLabel("Order", { exact: true }).fill("ORD_PROBE_1");
  await page.getByLabel("Order that is declined (optional)").fill("ORD_DECLINE_PROBE");
  await page.getByRole("button", { name: "Measure", exact: true }).click();
  await expect(page.getByText("Measured: class K.")).toBeVisible({ timeout: 50_000 });
  await expect(page.locator("[data-class=K]")).toBeVisible();
  await expect(page.locator("[data-proof=proved]")).toHaveCount(5);
  await expect(page.locator("[data-proof=disproved]")).toHaveCount(0);
  await page.context().close();
});

test("the pages of connections are sound", async ({ browser, demo }) => {
  test.setTimeout(240_000);
  const page = await as(browser, demo.url, "admin", true);
  for (const path of ["/settings", LIST, `${LIST}/new`]) {
    await page.goto(path);
    await sound(page, path);
  }
  await page.goto(LIST);
  await page.getByRole("link", { name: "Juspay (globex)" }).click();
  await page.getByText("Measure it").click();
  await page.getByText("Change address, merchant or key").click();
  await sound(page, "a connection");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(page.locator("#pause-reason-error")).toBeVisible();
  await sound(page, "a connection with a mistake");
  await page.context().close();
});

test("a stop of everything shows on batches while they are open, and goes when it is over", async ({ browser, demo }) => {
  test.setTimeout(120_000);
  const owner = await as(browser, demo.url, "owner", true);
  const sent = await owner.request.post("/batch/batch-refunds", {
    headers: { accept: "application/json", origin: demo.url },
    multipart: {
      description: "slow",
      file: { name: "slow.csv", mimeType: "text/csv", buffer: Buffer.from(refunds(Array.from({ length: 400 }, () => plain("10")))) },
    },
  });
  expect(sent.status(), await sent.text()).toBe(201);
  const path = (await sent.json()).location;
  const batch = await owner.context().newPage();
  await batch.goto(path);
  await expect(batch.locator("body")).toHaveAttribute("data-hydrated");
  await owner.goto("/settings");
  await owner.locator("#pause-reason").fill("Wrong prices in the shop");
  await owner.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(owner.locator("[data-sending=paused]").first()).toBeVisible();
  await expect(batch.getByText("owner@globex.test paused all sending of Globex since")).toBeVisible();
  await expect(batch.getByText("“Wrong prices in the shop”")).toBeVisible();
  await expect(batch.locator("[data-pace]")).toContainText("No estimate: nothing is sent now.");
  await owner.goto("/batch/batch-refunds");
  await expect(owner.getByText("paused all sending of Globex since")).toBeVisible();
  await owner.goto("/settings");
  await owner.getByRole("button", { name: "Resume", exact: true }).click();
  await expect(batch.getByText("paused all sending")).toHaveCount(0);
  await expect(batch.locator("[data-pace]")).toContainText("Limit:");
  await expect(batch.locator("main [data-status]").first()).toHaveAttribute("data-status", "completed", { timeout: 50_000 });
  await owner.context().close();
});
