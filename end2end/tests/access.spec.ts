// What a person may not do is absent from the page, and refused by the server.
import { REFUNDS, batchOf, client, expect, open, plain, refunds, send, test, unique } from "../support/app";

test("a viewer sees no way to create or sync a batch and is refused both", async ({ as, allow }) => {
  allow(/403/);
  const maker = await client("maker");
  const batch = await batchOf(maker, `${unique("seen")}.csv`, [plain("1")]);
  await maker.dispose();
  const page = await as("viewer");
  for (const path of [REFUNDS, `${REFUNDS}/${batch}`]) {
    await open(page, path);
    await expect(page.getByRole("main").getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByText("Create Batch Refunds")).toHaveCount(0);
    await expect(page.getByText("Sync with Gateway")).toHaveCount(0);
    for (const name of ["Withdraw", "Approve", "Reject", "Pause", "Cancel…"]) {
      await expect(page.getByRole("main").getByRole("button", { name })).toHaveCount(0);
    }
  }
  expect((await send(page.request, "x.csv", refunds([plain("1")]))).status()).toBe(403);
  for (const act of ["sync", "withdraw", "pause", "resume", "cancel"]) {
    const answer = await page.request.post(`${REFUNDS}/${batch}/${act}`, {
      headers: { origin: process.env.BATCHDESK_URL! },
      form: { next: REFUNDS },
      maxRedirects: 0,
    });
    expect(answer.status(), act).toBe(403);
  }
  expect((await page.request.get(`${REFUNDS}/new`, { maxRedirects: 0 })).status()).toBe(403);
});

test("another organisation's batch does not exist", async ({ as, allow }) => {
  allow(/404/);
  const owner = await client("owner");
  const name = `${unique("secret")}.csv`;
  const batch = await batchOf(owner, name, [plain("1")]);
  const path = `${REFUNDS}/${batch}`;
  expect((await owner.get(path)).status()).toBe(200);
  await owner.dispose();
  const checker = await as("checker");
  for (const hidden of [path, `${path}/batch_refund.csv`, `${path}/original`, `/approvals/${batch}`, `/events?batch=${batch}`]) {
    expect((await checker.request.get(hidden, { maxRedirects: 0 })).status(), hidden).toBe(404);
  }
  await checker.goto(path);
  await expect(checker.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(checker.getByText(name)).toHaveCount(0);
});

test("a request from another site is refused", async ({ as }) => {
  const page = await as("maker");
  for (const headers of [{ origin: "https://elsewhere.test" }, {} as Record<string, string>]) {
    const answer = await page.request.post(REFUNDS, {
      headers: { accept: "application/json", ...headers },
      multipart: { file: { name: "x.csv", mimeType: "text/csv", buffer: Buffer.from(refunds([plain("1")])) } },
    });
    expect(answer.status()).toBe(403);
  }
});
