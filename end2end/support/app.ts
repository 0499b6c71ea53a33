// What every journey uses: people who sign in, pages that are watched, files that go through the real chooser.
import {
  test as base,
  expect,
  request,
  type APIRequestContext,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from "@playwright/test";

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

export const REFUNDS = "/batch/batch-refunds";
/** The address of one batch's page. */
export const BATCH = /\/batch\/batch-refunds\/[0-9a-f]{8}-[0-9a-f-]{27}$/;

/** A browser whose scripts are off refuses ours, and then says that what was loaded early for them went unused. */
const WITHOUT_SCRIPTS = [/^request failed: GET \S+\/pkg\/(batchdesk|live)-\w+\.js: csp$/, /^console warning: The resource \S+\.wasm was preloaded/];

/** Collects whatever a page complains about. `allowed` is what a journey provokes on purpose. */
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
  /** A page of its own browser session, signed in already. */
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
    const contexts: BrowserContext[] = [];
    // Without a graphics card every moving mark is drawn by the processor: the journeys do without, one looks at pages that move.
    await use(async (options = {}) => {
      const context = await browser.newContext({ baseURL: process.env.BATCHDESK_URL, acceptDownloads: true, reducedMotion: "reduce", ...options });
      contexts.push(context);
      if (options.javaScriptEnabled === false) watch.allowed.push(...WITHOUT_SCRIPTS);
      context.on("page", (page) => watch.page(page));
      return context.newPage();
    });
    for (const context of contexts) await context.close();
  },
  as: async ({ nobody }, use) =>
    use(async (role, options) => {
      const page = await nobody(options);
      await enter(page.request, role);
      return page;
    }),
});

const origin = () => ({ origin: process.env.BATCHDESK_URL! });

/** Signs in by the form's own request, without opening the page. */
async function enter(client: APIRequestContext, role: Role) {
  const answer = await client.post("/login", { form: { email: PEOPLE[role], password: PASSWORD }, headers: origin(), maxRedirects: 0 });
  expect(answer.status(), `${role} signs in`).toBe(303);
}

/** Somebody's requests without a browser, for what a journey only needs to be there. */
export async function client(role: Role) {
  const context = await request.newContext({ baseURL: process.env.BATCHDESK_URL });
  await enter(context, role);
  return context;
}

/** Sends a file as a script would; the answer is JSON. */
export function send(from: APIRequestContext, name: string, content: string, more: Record<string, string> = {}) {
  return from.post(REFUNDS, {
    headers: { accept: "application/json", ...origin() },
    multipart: { ...more, file: { name, mimeType: "text/csv", buffer: Buffer.from(content) } },
  });
}

/** A batch that was accepted: its id. */
export async function batchOf(from: APIRequestContext, name: string, rows: Row[], description = "Made for a test") {
  const answer = await send(from, name, refunds(rows), { description });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).batch_id as string;
}

export async function hydrated(page: Page) {
  await expect(page.locator("body"), "the page is hydrated").toHaveAttribute("data-hydrated");
}

/** Signs in on the page that is open. */
export async function signIn(page: Page, email: string, password = PASSWORD) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Opens a page and waits until it can be used. */
export async function open(page: Page, path: string) {
  const answer = await page.goto(path);
  await hydrated(page);
  return answer;
}

/** Gives a file to the chooser that `press` opens. On a busy machine one may open before the browser knows that it is to be caught. */
export async function giveFile(page: Page, name: string, content: string, press: () => Promise<void>) {
  await expect(async () => {
    const chooser = page.waitForEvent("filechooser", { timeout: 10_000 });
    const [opened] = await Promise.all([chooser, press()]);
    await opened.setFiles({ name, mimeType: "text/csv", buffer: Buffer.from(content) });
  }).toPass();
}

/**
 * Gives a file to the file field the way a person does: button, chooser, file. Waits until the page has read it: what
 * stood there before, its "Upload" among it, is gone then.
 */
export async function choose(page: Page, name: string, content: string) {
  await hydrated(page);
  await giveFile(page, name, content, () => page.getByText("Choose File", { exact: true }).click());
  await expect(page.getByRole("region", { name: "The file" })).toContainText(name);
}

/** From the list through the description dialog to the page that takes the file. */
export async function describe(page: Page, description: string) {
  await open(page, REFUNDS);
  await page.getByRole("link", { name: "Create Batch Refunds" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Description").fill(description);
  await dialog.getByRole("button", { name: "Submit", exact: true }).click();
  await page.waitForURL(/\/batch\/batch-refunds\/new\?draft=/);
  await hydrated(page);
}

/** Sends the chosen file; it becomes a batch, whose page opens. Returns its id. */
export async function upload(page: Page) {
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.waitForURL(BATCH);
  return new URL(page.url()).pathname.split("/").at(-1)!;
}

/** The tile's number. */
export const tile = (page: Page, which: "accepted" | "rejected" | "queued") => page.locator(`[data-count="${which}"]`);

/** Who looks at a batch sees its own status first. */
export const batchStatus = (page: Page) => page.locator("main [data-status]").first();

/** Writes down every status that the page shows from now on; gone with the page. */
export async function follow(page: Page) {
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seen });
    const look = () => {
      const status = document.querySelector("main [data-status]")?.getAttribute("data-status");
      if (status && seen.at(-1) !== status) seen.push(status);
    };
    look();
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  });
}

/** What `follow` has written down; nothing after the page was loaded again. */
export const seen = (page: Page) => page.evaluate(() => (window as unknown as { seen?: string[] }).seen);

/** Presses Tab until the element has the focus; fails when it cannot be reached. */
export async function tabTo(page: Page, target: Locator, presses = 80) {
  await expect(target).toHaveCount(1);
  for (let at = 0; at < presses; at += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not reach ${target}`);
}

let made = 0;
/** A text that no other test of this run uses; the demo is a new one in each run. */
export function unique(prefix: string) {
  made += 1;
  return `${prefix}${process.pid.toString(36)}X${made.toString(36)}`.toUpperCase();
}

export const HEADER =
  "order_id,amount,txn_id,unique_id,marketplace_amount,vendor1_id,vendor1_amount,vendor2_id,vendor2_amount,udf1,udf2,udf3,udf4,udf5,udf6,udf7,udf8,udf9,udf10";

export interface Row {
  order: string;
  amount: string;
  key?: string;
  /** udf1 as the file has it. */
  note?: string;
}

/** One row of the standard template. */
export const line = ({ order, amount, key = "", note = "" }: Row) => [order, amount, "", key, "", "", "", "", "", note, ...Array(9).fill("")].join(",");

/** A refund file in the standard template. */
export const refunds = (rows: Row[]) => [HEADER, ...rows.map(line), ""].join("\n");

/** A refund that goes well. */
export const plain = (amount: string): Row => ({ order: unique("ORD"), amount, key: unique("R") });
