// Signing in and out.
import { PEOPLE, REFUNDS, batchOf, client, expect, hydrated, open, plain, signIn, test, unique } from "../support/app";

test("signed out, a page leads to the sign-in and back", async ({ nobody }) => {
  const page = await nobody();
  await open(page, `${REFUNDS}?q=oct`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await signIn(page, PEOPLE.viewer);
  await page.waitForURL(`**${REFUNDS}?q=oct`);
  await hydrated(page);
  await expect(page.getByLabel("Search by file name")).toHaveValue("oct");
});

test("a wrong password is told without saying whose, and what was typed stays", async ({ nobody, allow }) => {
  allow(/422/);
  const page = await nobody();
  const said: string[] = [];
  // Somebody who is there and somebody who is not get the same answer.
  for (const email of [PEOPLE.admin, "nobody@acme.test"]) {
    await open(page, `/login?next=${encodeURIComponent(REFUNDS)}`);
    await signIn(page, email, "not-the-password");
    const alert = page.getByRole("alert");
    await expect(alert).toContainText("There is a problem");
    said.push(await alert.innerText());
    await expect(page).toHaveTitle(/^Error: /);
    await expect(page.getByLabel("Email")).toHaveValue(email);
    await expect(page.getByLabel("Password", { exact: true })).toHaveValue("");
  }
  expect(said[0]).toBe(said[1]);
  await hydrated(page);
  await signIn(page, PEOPLE.viewer);
  await page.waitForURL(`**${REFUNDS}`);
});

// Which of them the server takes is `src/tests/outside/sessions.rs`; here is what a browser makes of the two that it may read in its own way.
for (const next of ["/\\evil.test", "javascript:alert(1)"]) {
  test(`next=${next} leads nowhere else`, async ({ nobody }) => {
    const page = await nobody();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).origin));
    await open(page, `/login?next=${encodeURIComponent(next)}`);
    await signIn(page, PEOPLE.viewer);
    await page.waitForURL((url) => url.pathname === "/");
    await hydrated(page);
    expect(new Set(asked)).toEqual(new Set([process.env.BATCHDESK_URL]));
  });
}

test("signing out ends the live stream of every page of the session", async ({ as, allow }) => {
  // The stream is asked for again by the browser, and refused.
  allow(/401.*\/events\?/, /\/events\?.*401/, /status of 401/, /request failed: GET \S+\/events\?/);
  const maker = await client("maker");
  const batch = await batchOf(maker, `${unique("stream")}.csv`, [plain("1")]);
  await maker.dispose();
  const page = await as("viewer");
  const opened = page.waitForResponse((answer) => answer.url().includes("/events") && answer.status() === 200);
  await open(page, `${REFUNDS}/${batch}`);
  const stream = await opened;
  await expect(page.getByRole("link", { name: "Refresh" })).toHaveCount(0);

  const other = await page.context().newPage();
  await open(other, "/");
  await other.getByRole("button", { name: PEOPLE.viewer }).click();
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL("**/login");
  await stream.finished();
  await expect(page.getByRole("link", { name: "Refresh" })).toBeVisible();
  await page.goto(`${REFUNDS}/${batch}`);
  await expect(page).toHaveURL(/\/login\?next=/);
});
