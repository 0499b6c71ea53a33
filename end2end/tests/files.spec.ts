// Files that must not become batches: every finding is shown, in its place, before and after sending.
import { choose, expect, open, refunds, test, unique } from "../support/desk";

const HEAD = refunds([]).split("\n")[0];
const row = (order: string, amount: string, key = "") => [order, amount, "", key, ...Array(15).fill("")].join(",");

const FILES: { title: string; file: string; findings: { row?: number; column?: string; text: RegExp }[] }[] = [
  {
    title: "a blank mandatory field",
    file: [HEAD, row("", "10.00"), ""].join("\n"),
    findings: [{ row: 2, column: "order_id", text: /Missing mandatory fields/ }],
  },
  {
    title: "an amount that is no number, and another two rows on",
    file: [HEAD, row("ORD1", "ten"), row("ORD2", "10.00"), row("ORD3", "1,5e")].join("\n").replace("1,5e", "1.5e"),
    findings: [
      { row: 2, column: "amount", text: /Invalid data type/ },
      { row: 4, column: "amount", text: /Invalid data type/ },
    ],
  },
  {
    title: "a missing mandatory column",
    file: ["order_id,txn_id", "ORD1,T1", ""].join("\n"),
    findings: [{ text: /Missing mandatory fields/ }],
  },
  {
    title: "an unknown header",
    file: ["order_id,amount,colour", "ORD1,1.00,red", ""].join("\n"),
    findings: [{ text: /Invalid file format/ }],
  },
  {
    title: "a row too many",
    file: [HEAD, ...Array.from({ length: 1001 }, (_, at) => row(`ORD${at}`, "1.00"))].join("\n"),
    findings: [{ text: /Row limit exceeded/ }],
  },
];

for (const { title, file, findings } of FILES) {
  test(`${title} is found before anything is sent`, async ({ as }) => {
    const page = await as("maker");
    await open(page, "/batch/batch-refunds/new");
    const sent: string[] = [];
    page.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
    await choose(page, `${unique("bad")}.csv`, file);
    await expect(page.locator("[data-finding]")).toHaveCount(findings.length);
    for (const [at, { row: number, column, text }] of findings.entries()) {
      const finding = page.locator("[data-finding]").nth(at);
      await expect(finding).toContainText(text);
      if (number !== undefined) await expect(finding).toHaveAttribute("data-row", String(number));
      if (column !== undefined) await expect(finding).toHaveAttribute("data-column", column);
    }
    expect(sent.filter((url) => new URL(url).pathname === "/batch/batch-refunds"), "the file stayed here").toEqual([]);
  });

  test(`${title} is refused by the server`, async ({ as }) => {
    const page = await as("maker");
    const answer = await page.request.post("/batch/batch-refunds", {
      headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
      multipart: { file: { name: `${unique("bad")}.csv`, mimeType: "text/csv", buffer: Buffer.from(file) } },
    });
    expect(answer.status()).toBe(422);
    const { errors } = await answer.json();
    expect(errors.map((error: { row?: number | null; column?: string | null }) => [error.row ?? undefined, error.column || undefined])).toEqual(
      findings.map(({ row: number, column }) => [number, column]),
    );
    for (const [at, { text }] of findings.entries()) expect(errors[at].message).toMatch(text);
  });
}
