// What the specifications say word by word: messages, colours, columns, headers, files. The same for both modules.
import { readFile } from "node:fs/promises";
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import { readSheet } from "read-excel-file/node";
import { HEADER, REFUNDS, batchStatus, choose, client, expect, hydrated, line, open, plain, refunds, test, tile, unique, type Row } from "../support/app";

const SYNC = "/batch/batch-sync";
const ORDERS = "order_id,txn_id,unique_request_id";
const orders = (...rows: string[]) => [ORDERS, ...rows, ""].join("\n");

/** Sends a file to either module as a script would. */
async function made(from: APIRequestContext, list: string, name: string, content: string) {
  const answer = await from.post(list, {
    headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
    multipart: { sync_with_gateway: "on", description: "Made for a test", file: { name, mimeType: "text/csv", buffer: Buffer.from(content) } },
  });
  expect(answer.status(), await answer.text()).toBe(201);
  return (await answer.json()).batch_id as string;
}

async function ended(page: Page, path: string) {
  await open(page, path);
  await expect(batchStatus(page)).toHaveAttribute("data-status", /^completed/, { timeout: 30_000 });
}

const MESSAGES: { list: string; message: string; file: () => string }[] = [
  { list: REFUNDS, message: "Invalid file format", file: () => `${HEADER},colour\n${line(plain("1.00"))},red\n` },
  { list: REFUNDS, message: "Missing mandatory fields", file: () => refunds([{ order: "", amount: "1.00" }]) },
  { list: REFUNDS, message: "Row limit exceeded", file: () => refunds(Array.from({ length: 1001 }, () => plain("1.00"))) },
  { list: REFUNDS, message: "Invalid data type", file: () => refunds([plain("ten")]) },
  { list: SYNC, message: "Invalid file format", file: () => `${ORDERS},colour\n${unique("ORD")},,,red\n` },
  { list: SYNC, message: "Missing mandatory fields", file: () => "txn_id,unique_request_id\nT,R\n" },
  { list: SYNC, message: "Row limit exceeded", file: () => orders(...Array.from({ length: 1001 }, () => `${unique("ORD")},,`)) },
  { list: SYNC, message: "Invalid order ID format", file: () => orders("ORD 1,,") },
  { list: SYNC, message: "Empty order ID", file: () => orders(",T,R") },
];

for (const list of [REFUNDS, SYNC]) {
  test(`every message is shown literally: ${list}`, async ({ as, allow }) => {
    test.slow();
    allow(/422/);
    const [page, plainly] = [await as("owner"), await as("owner", { javaScriptEnabled: false })];
    // Not what could be repaired, which has a place of its own above.
    const found = (of: Page) => of.locator(".finding").filter({ has: of.locator("[data-finding]") }).first();
    for (const { message, file } of MESSAGES.filter((one) => one.list === list)) {
      const content = file();
      await open(page, `${list}/new`);
      await choose(page, `${unique("bad")}.csv`, content);
      await expect(found(page)).toContainText(message);
      // And by the server, where there is no JavaScript.
      await plainly.goto(`${list}/new`);
      await plainly.locator("input[type=file]").setInputFiles({ name: `${unique("bad")}.csv`, mimeType: "text/csv", buffer: Buffer.from(content) });
      await plainly.getByRole("button", { name: "Upload", exact: true }).click();
      await expect(found(plainly)).toContainText(message);
    }
  });
}

/** The hue that a person sees, whatever way the browser writes the colour: drawn, and read back. */
async function hue(of: Locator, property: "color" | "backgroundColor") {
  const [red, green, blue] = await of.evaluate((element, property) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d")!;
    canvas.fillStyle = getComputedStyle(element)[property];
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }, property);
  const [most, least] = [Math.max(red, green, blue), Math.min(red, green, blue)];
  if (most - least < 40) return "grey";
  return most === red ? "red" : most === green ? "green" : "blue";
}

for (const colorScheme of ["light", "dark"] as const) {
  test(`ACCEPTED is green, FAILED red, QUEUED blue, the toggle blue or grey: ${colorScheme}`, async ({ as }) => {
    test.slow();
    const owner = await client("owner");
    const maker = await client("maker");
    const done = [
      `${REFUNDS}/${await made(owner, REFUNDS, `${unique("hue")}.csv`, refunds([plain("1.00"), { order: unique("ORD_DECLINE_"), amount: "2.00" }]))}`,
      `${SYNC}/${await made(owner, SYNC, `${unique("hue")}.csv`, orders(`${unique("ORD_")},,`, `${unique("ORD_MISSING_")},,`))}`,
    ];
    // Waits for its checker.
    const waiting = [
      `${REFUNDS}/${await made(maker, REFUNDS, `${unique("hue")}.csv`, refunds([plain("1.00")]))}`,
      `${SYNC}/${await made(maker, SYNC, `${unique("hue")}.csv`, orders(`${unique("ORD_")},,`))}`,
    ];
    await Promise.all([owner.dispose(), maker.dispose()]);
    const page = await as("owner", { colorScheme });
    const label = (of: Page, status: string) => of.locator(`main tbody [data-status="${status}"]`).first();
    for (const path of done) {
      await ended(page, path);
      expect(await hue(label(page, "ACCEPTED"), "color"), path).toBe("green");
      expect(await hue(label(page, "FAILED"), "color"), path).toBe("red");
    }
    const before = await as("maker", { colorScheme });
    for (const path of waiting) {
      await open(before, path);
      expect(await hue(label(before, "QUEUED"), "color"), path).toBe("blue");
    }
    await page.emulateMedia({ reducedMotion: "reduce" });
    await open(page, `${SYNC}/new`);
    const track = page.locator(".switch-track");
    await expect.poll(() => hue(track, "backgroundColor"), "on").toBe("blue");
    await page.getByText("Sync With Gateway", { exact: true }).click();
    await expect(page.getByRole("switch", { name: "Sync With Gateway" })).not.toBeChecked();
    await expect.poll(() => hue(track, "backgroundColor"), "off").toBe("grey");
  });
}

const DESCRIPTIONS = [
  {
    list: REFUNDS,
    tab: "Refunds",
    words:
      "This module helps in creating refunds in bulk using a file upload. It provides a holistic view of the files uploaded. Upon clicking the filename in the table below a detailed view of each refund uploaded is displayed.",
  },
  {
    list: SYNC,
    tab: "Sync",
    words:
      "This module helps in creating data synchronization in bulk using a file upload. It provides a holistic view of the files uploaded. Upon clicking the filename in the table below a detailed view of each sync operation uploaded is displayed.",
  },
];

for (const { list, tab, words } of DESCRIPTIONS) {
  test(`the description is literally the specification's, below its tab: ${list}`, async ({ as }) => {
    const page = await as("viewer");
    await open(page, "/");
    await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Bulk Operations" }).click();
    await page.waitForURL(`**${REFUNDS}`);
    await page.getByRole("navigation", { name: "Bulk Operations" }).getByRole("link", { name: tab, exact: true }).click();
    await page.waitForURL(`**${list}`);
    await expect(page.getByText(words, { exact: true })).toBeVisible();
    await expect(page.locator("tr[data-batch]").first()).toBeVisible();
  });
}

const LISTS = [
  {
    list: REFUNDS,
    heads: ["File Name", "File Upload Status", "Amount", "Date Created", "Last Modified", "Total Tasks", "Tasks Progress", "Actions"],
    sortable: ["File Name", "File Upload Status", "Amount", "Date Created", "Total Tasks"],
    file: (rows: number, good: boolean) =>
      refunds(Array.from({ length: rows }, (): Row => ({ order: unique(good ? "ORD" : "ORD_DECLINE_"), amount: `${rows}.00` }))),
  },
  {
    list: SYNC,
    heads: ["File Name", "File Upload Status", "Total Records", "Date Created", "Last Modified", "Total Tasks", "Tasks Progress", "Actions"],
    sortable: ["File Name", "File Upload Status", "Total Records", "Date Created", "Total Tasks"],
    file: (rows: number, good: boolean) => orders(...Array.from({ length: rows }, () => `${unique(good ? "ORD_" : "ORD_MISSING_")},,`)),
  },
];

for (const { list, heads, sortable, file } of LISTS) {
  test(`five columns sort both ways and no other: ${list}`, async ({ as }) => {
    test.slow();
    const from = await client("owner");
    const mark = unique("Five");
    // Different orders by name, by status, by size and by time.
    const files = [
      [`${mark}_b.csv`, 3, true],
      [`${mark}_c.csv`, 1, false],
      [`${mark}_a.csv`, 2, true],
    ] as const;
    const [b, c, a] = files.map(([name]) => name);
    const page = await as("owner");
    for (const [name, rows, good] of files) await ended(page, `${list}/${await made(from, list, name, file(rows, good))}`);
    await from.dispose();
    await open(page, `${list}?q=${mark}`);
    await expect(page.locator("thead th")).toHaveText(heads.map((head) => new RegExp(`^\\s*${head}`)));
    const links = page.locator("thead th a");
    await expect(links).toHaveText(sortable.map((head) => new RegExp(`^\\s*${head}`)));
    const ascending: Record<string, string[]> = {
      "File Name": [a, b, c],
      "File Upload Status": [b, a, c],
      Amount: [c, a, b],
      "Total Records": [c, a, b],
      "Total Tasks": [c, a, b],
      "Date Created": [b, c, a],
    };
    const names = page.locator("tr[data-batch] a.name");
    for (const head of sortable) {
      const column = page.getByRole("columnheader", { name: head });
      await column.getByRole("link").click();
      await expect(column).toHaveAttribute("aria-sort", "ascending");
      await expect(names, `${head}, ascending`).toHaveText(ascending[head]);
      await column.getByRole("link").click();
      await expect(column).toHaveAttribute("aria-sort", "descending");
      await expect(names, `${head}, descending`).toHaveText([...ascending[head]].reverse());
    }
  });

  test(`search is case-sensitive and partial, and the cross clears it: ${list}`, async ({ as }) => {
    const from = await client("owner");
    const mark = unique("Mixed");
    for (const name of [`${mark}_Oct.csv`, `${mark}_oct.csv`]) await made(from, list, name, file(1, true));
    await from.dispose();
    const page = await as("owner");
    await open(page, list);
    const search = page.getByLabel("Search by file name");
    const names = page.locator("tr[data-batch] a.name");
    await search.fill(`${mark}_O`);
    await expect(names).toHaveText([`${mark}_Oct.csv`]);
    await search.fill(`${mark}_o`);
    await expect(names).toHaveText([`${mark}_oct.csv`]);
    await expect(page.locator("form[role=search] svg").first(), "the search icon").toBeVisible();
    await page.getByRole("button", { name: "Clear search" }).click();
    await expect(search).toHaveValue("");
    await expect(page.getByRole("button", { name: "Clear search" })).toHaveCount(0);
    await expect.poll(() => names.count()).toBeGreaterThan(1);
  });
}

const RESULTS = [
  {
    list: REFUNDS,
    name: "batch_refund",
    total: "Total Amount",
    header: [
      ["S.No", "Order/Transaction Id", "Amount", "Refund Status", "Unique Id", "GW Transaction Id"],
      Array.from({ length: 10 }, (_, at) => `Udf${at + 1}`),
      ["Task Status", "Refund Type", "Error Message", "Created At", "Updated At"],
    ].flat(),
    numbers: [0, 2],
    file: () => refunds([{ order: unique("0"), amount: "100.50", key: unique("R"), note: "=1+1" }, { order: unique("ORD_DECLINE_"), amount: "7" }]),
  },
  {
    list: SYNC,
    name: "batch_sync",
    total: "Total Records",
    header: ["S.No", "Order ID", "Transaction ID", "Unique Request ID", "Sync Status", "External System Response", "Gateway Sync Status", "Task Status", "Error Message", "Created At", "Updated At"],
    numbers: [0],
    file: () => orders(`${unique("0")},,007`, `${unique("ORD_MISSING_")},,+R`),
  },
];

/** Comma-separated values without line ends in cells. */
const cells = (line: string) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare);

for (const { list, name, total, header, numbers, file } of RESULTS) {
  test(`Download Data as CSV and as a spreadsheet say the same, cell by cell: ${name}`, async ({ as }) => {
    const from = await client("owner");
    const batch = await made(from, list, `${unique("result")}.csv`, file());
    await from.dispose();
    const page = await as("owner");
    await ended(page, `${list}/${batch}`);
    const download = async (link: string) => {
      const arrives = page.waitForEvent("download");
      await page.getByRole("link", { name: link, exact: true }).click();
      return arrives;
    };
    const csv = await download("Download Data");
    expect(csv.suggestedFilename()).toBe(`${name}.csv`);
    const text = await readFile(await csv.path(), "utf8");
    const lines = text.split("\n");
    expect(lines[0], "the header is literally the specification's").toBe(header.join(","));
    expect(lines.pop(), "the last line ends").toBe("");

    await page.getByRole("button", { name: "More", exact: true }).click();
    const book = await download("Download Data as Excel (.xlsx)");
    expect(book.suggestedFilename()).toBe(`${name}.xlsx`);
    const rows = await readSheet(await book.path());
    expect(rows).toHaveLength(lines.length);
    for (const [at, line] of lines.entries()) {
      for (const [column, cell] of cells(line).entries()) {
        const found = rows[at][column];
        const isNumber = at > 0 && numbers.includes(column);
        expect(typeof (found ?? ""), `row ${at}, ${header[column]}`).toBe(isNumber ? "number" : "string");
        // An apostrophe guards a cell of the CSV that a spreadsheet would run; a cell that is text is not run.
        const expected = /^'[=+\-@]/.test(cell) ? cell.slice(1) : cell;
        expect(isNumber ? Number(found) : (found ?? ""), `row ${at}, ${header[column]}`).toBe(isNumber ? Number(cell) : expected);
      }
    }

    // The card folds and unfolds; the count is grouped, the amount has its currency.
    const card = page.locator("details", { hasText: "Batch Details" }).first();
    const id = card.getByText("Batch ID", { exact: true });
    await expect(id).toBeVisible();
    for (const words of ["Date Created", "Date Updated", total]) await expect(card.getByText(words, { exact: true })).toBeVisible();
    await card.locator("summary").click();
    await expect(id).toBeHidden();
    await card.locator("summary").click();
    await expect(id).toBeVisible();
  });
}

test("files go by person and by day, with and without JavaScript", async ({ as }) => {
  test.slow();
  const mark = unique("Who");
  for (const who of ["maker", "maker2"] as const) {
    const from = await client(who);
    await made(from, REFUNDS, `${mark}_${who}.csv`, refunds([plain("1.00")]));
    await from.dispose();
  }
  for (const javaScriptEnabled of [true, false]) {
    const page = await as("viewer", { javaScriptEnabled });
    const there = async (query: RegExp) => {
      await page.waitForURL(query);
      if (javaScriptEnabled) await hydrated(page);
    };
    const names = page.locator("tr[data-batch] a.name");
    await page.goto(`${REFUNDS}?q=${mark}&sort=name`);
    if (javaScriptEnabled) await hydrated(page);
    await expect(names).toHaveText([`${mark}_maker.csv`, `${mark}_maker2.csv`]);
    const filters = page.locator("details.filters");
    await expect(filters.getByLabel("Uploaded by")).toBeHidden();
    await filters.locator("summary").click();
    await filters.getByLabel("Uploaded by").selectOption({ label: "maker2@acme.test" });
    await filters.getByRole("button", { name: "Show", exact: true }).click();
    await there(/maker=[0-9a-f-]{36}/);
    expect(new URL(page.url()).searchParams.get("q"), "the search stays").toBe(mark);
    await expect(names).toHaveText([`${mark}_maker2.csv`]);
    await expect(page.getByRole("navigation", { name: "File Upload Status" }).getByRole("link", { name: /^All/ })).toContainText("1");
    // Another order keeps the person; a day before there was anything leaves nothing, and says what was asked for.
    await page.getByRole("columnheader", { name: "File Name" }).getByRole("link").click();
    await there(/sort=-name/);
    await expect(filters.getByLabel("Uploaded by").locator("option:checked")).toHaveText("maker2@acme.test");
    await filters.getByLabel("Created to").fill("2001-02-03");
    await filters.getByRole("button", { name: "Show", exact: true }).click();
    await there(/to=2001-02-03/);
    await expect(page.getByRole("heading", { name: `No file matches “${mark}”, uploaded by maker2@acme.test, created on 3 Feb 2001 or before` })).toBeVisible();
    await page.getByRole("link", { name: "Clear filters" }).last().click();
    await page.waitForURL((url) => !url.searchParams.has("to") && !url.searchParams.has("maker"));
    if (javaScriptEnabled) await hydrated(page);
    await expect(names).toHaveText([`${mark}_maker2.csv`, `${mark}_maker.csv`]);
  }
});

test("a file of orders that was uploaded before is named and needs to be meant", async ({ as, allow }) => {
  allow(/422/);
  const page = await as("owner");
  const [name, content] = [`${unique("twice")}.csv`, orders(`${unique("ORD_")},,`)];
  const from = await client("owner");
  await made(from, SYNC, name, content);
  await from.dispose();
  await open(page, `${SYNC}/new`);
  await choose(page, name, content);
  const press = () => page.getByRole("button", { name: "Upload", exact: true }).click();
  await press();
  const box = page.getByLabel("Upload it again anyway");
  await expect(box).not.toBeChecked();
  await expect(page.getByText(name).first(), "the earlier one is named").toBeVisible();
  await press();
  await expect(page.locator("#why-not")).toContainText("It was uploaded before.");
  await box.check();
  await press();
  await page.waitForURL(/\/batch\/batch-sync\/[0-9a-f]{8}-[0-9a-f-]{27}$/);
});

test("an order has its trail and a batch its log", async ({ as }) => {
  const from = await client("owner");
  const order = unique("ORD_");
  const batch = await made(from, SYNC, `${unique("trail")}.csv`, orders(`${order},,REQ_1`));
  await from.dispose();
  const page = await as("owner");
  await ended(page, `${SYNC}/${batch}`);
  await expect(tile(page, "accepted")).toHaveText("1");
  await page.getByRole("button", { name: "Sync with Gateway" }).click();
  await expect(page.getByText("Asking the gateway about 1 order.")).toBeVisible();
  await page.getByRole("link", { name: order }).click();
  await page.waitForURL(`**${SYNC}/${batch}/tasks/1`);
  const steps = page.locator("ol.history > li");
  await expect(async () => {
    await page.reload();
    await expect(steps.filter({ hasText: "The gateway was asked about the order" })).toHaveCount(2, { timeout: 500 });
  }).toPass({ timeout: 20_000 });
  await expect(steps.first()).toContainText("REQ_1");
  await expect(steps.filter({ hasText: "Answered after" }).first()).toContainText(/\d+ ms/);
  await expect(steps.last()).toContainText("Synchronised");
  await page.goto(`${SYNC}/${batch}`);
  await page.getByRole("link", { name: "Activity log" }).click();
  await page.waitForURL(`**${SYNC}/${batch}/activity`);
  for (const words of ["Created", "First task ended", "Last task ended", "Sync with Gateway"]) await expect(page.locator("dl.facts").getByText(words, { exact: true })).toBeVisible();
  await expect(page.getByText("Sync with Gateway, 1 asked about")).toBeVisible();
});
