// What every journey uses: people who sign in, pages that are watched, files that go through the real chooser.
import { test as base, expect, type Browser, type BrowserContextOptions, type Locator, type Page } from "@playwright/test";

export { expect };

export const PASSWORD = "batchdesk-demo";
export const PEOPLE = {
  maker: "maker@acme.test",
  maker2: "maker2@acme.test",
  checker: "checker@acme.test",
  admin: "admin@acme.test",
  viewer: "viewer@acme.test",
  owner: "owner@globex.test",
} as const;
export type Role = keyof typeof PEOPLE;

export const address = (path: string) => new URL(path, process.env.BATCHDESK_URL).href;

/** Collects whatever a page complains about. `allow` names what a journey provokes on purpose. */
class Watch {
  complaints: string[] = [];
  allowed: RegExp[] = [];

  page(page: Page) {
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complain(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.complain(`page error: ${error.message}`));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      // Leaving a page ends its streams, and a download ends its navigation.
      if (why !== "net::ERR_ABORTED") this.complain(`request failed: ${request.method()} ${request.url()}: ${why}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) this.complain(`answer ${response.status()}: ${response.request().method()} ${response.url()}`);
    });
  }

  complain(what: string) {
    this.complaints.push(what);
  }

  left() {
    return this.complaints.filter((what) => !this.allowed.some((allowed) => allowed.test(what)));
  }
}

interface Desk {
  /** A signed-in page of its own browser session. */
  as: (role: Role, options?: BrowserContextOptions) => Promise<Page>;
  /** A page without anybody. */
  nobody: (options?: BrowserContextOptions) => Promise<Page>;
  /** Names complaints that a journey provokes on purpose. */
  allow: (...what: RegExp[]) => void;
}

export const test = base.extend<{ watch: Watch } & Desk>({
  watch: async ({}, use) => {
    const watch = new Watch();
    await use(watch);
    expect(watch.left(), "nothing may complain: console, page, requests").toEqual([]);
  },
  allow: async ({ watch }, use) => use((...what) => void watch.allowed.push(...what)),
  nobody: async ({ browser, watch }, use) => {
    const contexts: Awaited<ReturnType<Browser["newContext"]>>[] = [];
    await use(async (options = {}) => {
      const context = await browser.newContext({ baseURL: process.env.BATCHDESK_URL, acceptDownloads: true, ...options });
      contexts.push(context);
      context.on("page", (page) => watch.page(page));
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
  as: async ({ nobody }, use) =>
    use(async (role, options) => {
      const page = await nobody(options);
      await signIn(page, role, options?.javaScriptEnabled !== false);
      return page;
    }),
});

export async function hydrated(page: Page) {
  await expect(page.locator("body"), "the page is hydrated").toHaveAttribute("data-hydrated");
}

export async function signIn(page: Page, role: Role, scripted = true) {
  await page.goto("/login");
  if (scripted) await hydrated(page);
  await page.getByLabel("Email").fill(PEOPLE[role]);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/login");
  if (scripted) await hydrated(page);
}

/** Opens a page and waits until it can be used. */
export async function open(page: Page, path: string) {
  const answer = await page.goto(path);
  await hydrated(page);
  return answer;
}

/** Gives a file to the file field the way a person does: button, chooser, file. */
export async function choose(page: Page, name: string, content: string) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByText("Choose File", { exact: true }).click();
  await (await chooser).setFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
}

/** The tile's number. */
export const tile = (page: Page, which: "accepted" | "rejected" | "queued") => page.locator(`[data-count="${which}"]`).first();

export const batchStatus = (page: Page) => page.locator("main [data-status]").first();

/** Presses Tab until the element has the focus; fails when it cannot be reached. */
export async function tabTo(page: Page, target: Locator, presses = 80) {
  for (let at = 0; at < presses; at += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not reach ${target}`);
}

let made = 0;
/** A text that no other test of this run uses: letters and digits, at most 12. */
export function unique(prefix: string) {
  made += 1;
  return `${prefix}${process.pid.toString(36)}${Date.now().toString(36).slice(-5)}${made}`.toUpperCase().slice(0, 18);
}

const STANDARD =
  "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";

export interface Row {
  order: string;
  amount: string;
  key?: string;
}

/** A refund file in the standard template. */
export function refunds(rows: Row[]) {
  const lines = rows.map(({ order, amount, key = "" }) => [order, amount, "", key, ...Array(15).fill("")].join(","));
  return [STANDARD, ...lines, ""].join("\n");
}

/** A downloaded CSV file as rows of named cells; these files quote nothing that these tests put in. */
export function cells(text: string) {
  const [head, ...lines] = text.trimEnd().split("\n");
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((cell, at) => [names[at], cell])));
}
