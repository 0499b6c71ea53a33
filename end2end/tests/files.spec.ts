// Files that must not become batches: every finding is shown, in its place, before and after sending.
import { BATCH, HEADER, REFUNDS, batchStatus, choose, client, describe, expect, hydrated, line, open, plain, refunds, send, test, unique, upload } from "../support/app";

interface Wanted {
  row?: number;
  column?: string;
  text: RegExp;
}

const FILES: { title: string; file: string; findings: Wanted[] }[] = [
  {
    title: "blank mandatory fields",
    file: refunds([{ order: "", amount: "10.00" }, plain("1"), { order: unique("ORD"), amount: "" }]),
    findings: [
      { row: 2, column: "order_id", text: /Missing mandatory fields/ },
      { row: 4, column: "amount", text: /Missing mandatory fields/ },
    ],
  },
  {
    title: "amounts that are no numbers, two rows apart",
    file: refunds([plain("ten"), plain("10.00"), plain("1.5e3")]),
    findings: [
      { row: 2, column: "amount", text: /Invalid data type/ },
      { row: 4, column: "amount", text: /Invalid data type/ },
    ],
  },
  {
    title: "a missing mandatory column",
    file: `${HEADER.replace("amount,txn_id", "txn_id")}\n${line(plain("1.00")).replace(",1.00,", ",")}\n`,
    findings: [{ row: 1, column: "amount", text: /Missing mandatory fields/ }],
  },
  {
    title: "an unknown column",
    file: `${HEADER},colour\n${line(plain("1.00"))},red\n`,
    findings: [{ row: 1, column: "colour", text: /Invalid file format/ }],
  },
  {
    title: "a row too many",
    file: [HEADER, ...Array.from({ length: 1001 }, () => line(plain("1.00")))].join("\n"),
    findings: [{ text: /Row limit exceeded: 1,001 rows, at most 1,000/ }],
  },
];

for (const { title, file, findings } of FILES) {
  test(`${title}: refused by the server, with every finding`, async () => {
    const maker = await client("maker");
    const name = `${unique("bad")}.csv`;
    const answer = await send(maker, name, file, { description: "Not to be queued" });
    expect(answer.status()).toBe(422);
    const { errors } = await answer.json();
    expect(errors.map((error: { row?: number | null; column?: string | null }) => [error.row ?? undefined, error.column || undefined])).toEqual(
      findings.map(({ row, column }) => [row, column]),
    );
    for (const [at, { text }] of findings.entries()) expect(errors[at].message).toMatch(text);
    expect(await (await maker.get(`${REFUNDS}?q=${name}`)).text(), "nothing was queued").toContain("No file matches");
    await maker.dispose();
  });
}

test("every finding is found before anything is sent", async ({ as }) => {
  const page = await as("maker");
  await describe(page, "Not to be queued");
  const sent: string[] = [];
  page.on("request", (request) => request.method() === "POST" && sent.push(new URL(request.url()).pathname));
  for (const { title, file, findings } of FILES) {
    await open(page, page.url());
    await choose(page, `${unique("bad")}.csv`, file);
    const shown = page.locator("[data-finding]");
    await expect(shown, title).toHaveCount(findings.length);
    for (const [at, { row, column, text }] of findings.entries()) {
      await expect(shown.nth(at)).toHaveAttribute("data-row", String(row ?? ""));
      await expect(shown.nth(at)).toHaveAttribute("data-column", column ?? "");
      // The words of the kind head the group; a line says them again to those who hear it.
      await expect(page.locator(".finding").filter({ has: shown.nth(at) })).toContainText(text);
    }
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await expect(page.locator("#why-not")).toContainText("A file with an error is not sent at all.");
    expect(sent, "the file stayed here").toEqual([]);
  }
});

test("cells are corrected in place, and what is sent is the corrected file", async ({ as }) => {
  const page = await as("maker");
  await describe(page, "Corrected here");
  const [good, wrong, nameless] = [plain("5.00"), plain("ten"), { ...plain("2.50"), order: "" }];
  const name = `${unique("mend")}.csv`;
  await choose(page, name, refunds([good, wrong, nameless]));
  await expect(page.locator("[data-finding]")).toHaveCount(2);
  await expect(page.getByRole("heading", { name })).toBeVisible();

  const cell = (column: string, row: number) => page.getByRole("textbox", { name: `${column}, row ${row}`, exact: true });
  await expect(cell("amount", 3)).toHaveValue("ten");
  await expect(cell("amount", 3)).toHaveAttribute("aria-invalid", "true");
  await cell("amount", 3).fill("10.00");
  await cell("amount", 3).press("Enter");
  await expect(page.locator("[data-finding]")).toHaveCount(1);
  await cell("order_id", 4).fill(unique("ORD"));
  await cell("order_id", 4).press("Enter");
  await expect(page.locator("[data-finding]")).toHaveCount(0);
  await expect(page.getByText("₹17.50").first()).toBeVisible();
  await expect(page.getByText("2 cells edited here")).toBeVisible();

  await upload(page);
  await hydrated(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "awaiting_approval");
  await expect(page.getByText("Corrected here").first(), "the description is still there").toBeVisible();
  await expect(page.getByText("₹17.50").first()).toBeVisible();
  const id = new URL(page.url()).pathname;
  expect(await (await page.request.get(`${id}/original`)).text()).toContain(`${wrong.order},10.00,`);
});

test("rows with errors can be left out", async ({ as }) => {
  const page = await as("owner");
  await open(page, `${REFUNDS}/new`);
  await choose(page, `${unique("drop")}.csv`, refunds([plain("5.00"), plain("ten"), plain("0")]));
  await page.getByRole("button", { name: "Remove 2 rows" }).click();
  await expect(page.locator("[data-finding]")).toHaveCount(0);
  await upload(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
  await expect(page.locator("main tbody tr")).toHaveCount(1);
});

test("a press on Upload counts, though the page reads the file before the button is let go", async ({ as }) => {
  const page = await as("owner");
  // The thread that reads files is asked when the test says so, and notes that it has answered.
  await page.addInitScript(() => {
    const asked = new Promise((resolve) => Object.assign(window, { ask: resolve }));
    window.Worker = class extends Worker {
      constructor(...how: ConstructorParameters<typeof Worker>) {
        super(...how);
        this.addEventListener("message", () => Object.assign(window, { answered: true }));
      }
      postMessage(what: unknown) {
        void asked.then(() => super.postMessage(what));
      }
    };
  });
  await open(page, `${REFUNDS}/new`);
  await page.locator("input[type=file]").setInputFiles({ name: `${unique("held")}.csv`, mimeType: "text/csv", buffer: Buffer.from(refunds([plain("3.00")])) });
  await page.getByRole("button", { name: "Upload", exact: true }).hover();
  await page.mouse.down();
  await page.evaluate(() => (window as unknown as { ask: () => void }).ask());
  await page.waitForFunction(() => "answered" in window);
  // Whatever the page does with the answer, it has done after two frames.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await page.mouse.up();
  await page.waitForURL(BATCH);
});

test("what went out before needs to be meant", async ({ as, allow }) => {
  allow(/422/);
  const page = await as("owner");
  const [name, file] = [`${unique("twice")}.csv`, refunds([{ order: unique("ORD"), amount: "11.00" }])];
  expect((await send(page.request, name, file)).status()).toBe(201);
  await open(page, `${REFUNDS}/new`);
  await choose(page, name, file);
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  const box = page.getByLabel("Upload it again anyway");
  await expect(box).not.toBeChecked();
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(page.locator("#why-not")).toContainText("It was uploaded before.");
  await box.check();
  await upload(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
});

test("a row that may be a total needs to be meant", async ({ as }) => {
  const page = await as("owner");
  const [name, file] = [`${unique("total")}.csv`, refunds(["1.00", "2.50", "3.50"].map((amount) => ({ order: unique("ORD"), amount })))];
  await open(page, `${REFUNDS}/new`);
  await choose(page, name, file);
  await expect(page.locator('[data-finding][data-row="4"][data-column="amount"]')).toHaveCount(1);
  const box = page.getByLabel("Upload it anyway");
  await expect(box).not.toBeChecked();
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await expect(page.locator("#why-not")).toContainText("Something has to be confirmed.");
  await box.check();
  await upload(page);
  await expect(batchStatus(page)).toHaveAttribute("data-status", "completed", { timeout: 30_000 });
});

test("a key that was used before is found by the server, and told in the browser", async ({ as, allow }) => {
  allow(/422/);
  const page = await as("owner");
  const used = plain("8.00");
  expect((await send(page.request, `${unique("first")}.csv`, refunds([used]))).status()).toBe(201);
  await open(page, `${REFUNDS}/new`);
  await choose(page, `${unique("second")}.csv`, refunds([plain("1.00"), { ...plain("9.00"), key: used.key }]));
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  const found = page.locator('[data-finding][data-row="3"][data-column="unique_id"]');
  await expect(found).toHaveCount(1);
  await expect(page).toHaveURL(new RegExp(`${REFUNDS}/new`));
});
