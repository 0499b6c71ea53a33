// What a person may not do is absent from the page, and refused by the server.
import { expect, open, refunds, test, unique } from "../support/desk";

test("a viewer sees no way to create a batch and is refused one", async ({ as }) => {
  const page = await as("viewer");
  for (const [path, create, kind] of [
    ["/batch/batch-refunds", "Create Batch Refunds", "refunds"],
    ["/batch/batch-sync", "Create Batch Sync", "sync"],
  ]) {
    await open(page, path);
    await expect(page.getByRole("main").getByRole("heading").first(), kind).toBeVisible();
    await expect(page.getByRole("link", { name: create })).toHaveCount(0);
    await expect(page.getByRole("button", { name: create })).toHaveCount(0);
    await expect(page.getByRole("button", { name: "Sync with Gateway" })).toHaveCount(0);
    const answer = await page.request.post(path, {
      headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
      multipart: { file: { name: "x.csv", mimeType: "text/csv", buffer: Buffer.from(refunds([{ order: unique("ORD"), amount: "1" }])) } },
    });
    expect(answer.status(), kind).toBe(403);
  }
});

test("another organisation's batch does not exist", async ({ as }) => {
  const owner = await as("owner");
  const made = await owner.request.post("/batch/batch-refunds", {
    headers: { accept: "application/json", origin: process.env.BATCHDESK_URL! },
    multipart: {
      file: { name: `${unique("g")}.csv`, mimeType: "text/csv", buffer: Buffer.from(refunds([{ order: unique("ORD"), amount: "1", key: unique("R") }])) },
    },
  });
  expect(made.status()).toBe(201);
  const { batch_id: batch } = await made.json();
  const viewer = await as("viewer");
  const path = `/batch/batch-refunds/${batch}`;
  expect((await owner.request.get(path)).status()).toBe(200);
  for (const hidden of [path, `${path}/batch_refund.csv`, `/approvals/${batch}`]) {
    expect((await viewer.request.get(hidden, { maxRedirects: 0 })).status(), hidden).toBe(404);
  }
});

test("a request from another site is refused", async ({ as }) => {
  const page = await as("maker");
  for (const headers of [{ origin: "https://elsewhere.test" }, {} as Record<string, string>]) {
    const answer = await page.request.post("/batch/batch-refunds", {
      headers: { accept: "application/json", ...headers },
      multipart: { file: { name: "x.csv", mimeType: "text/csv", buffer: Buffer.from("order_id,amount\n") } },
    });
    expect(answer.status()).toBe(403);
  }
});

test("signed out, every page leads to the sign-in and back", async ({ nobody }) => {
  const page = await nobody();
  await page.goto("/batch/batch-refunds");
  await expect(page).toHaveURL(/\/login\?next=/);
});
