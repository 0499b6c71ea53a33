// Files that must not become batches: every finding is shown, in its place, before and after sending.
import type { Page } from "@playwright/test";
import { HEADER, REFUNDS, batchStatus, choose, client, describe, expect, hydrated, line, open, plain, refunds, send, test, unique, upload } from "../support/desk";

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
    const answer = await send(maker, name, file);
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
