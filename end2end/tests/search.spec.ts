// Search from every page: a field in the bar that leads to what begins with the text.
import { PEOPLE, REFUNDS, expect, signIn, test } from "../support/app";

for (const javaScriptEnabled of [true, false]) {
  test(`an order is found from every page, JavaScript ${javaScriptEnabled ? "on" : "off"}`, async ({ nobody }) => {
    const page = await nobody({ javaScriptEnabled });
    await page.goto("/login");
    await signIn(page, PEOPLE.viewer);
    await page.waitForURL((url) => url.pathname === "/");
    await page.goto(REFUNDS);
    const field = page.getByRole("search", { name: "All batches" }).getByRole("searchbox");
    await field.fill("ORD_4");
    await field.press("Enter");
    await page.waitForURL("**/search?q=ORD_4");
    const row = page.getByRole("table", { name: "Tasks that were found" }).getByRole("row").nth(1);
    const link = row.getByRole("rowheader").getByRole("link");
    const order = await link.innerText();
    await link.click();
    await page.waitForURL(/\/batch\/batch-refunds\/[0-9a-f-]{36}\?/);
    await expect(page.getByRole("rowheader").getByText(order, { exact: true })).toBeVisible();
    await page.goto("/search?q=zzzzzz");
    await expect(page.getByRole("heading", { name: "Nothing begins with zzzzzz" })).toBeVisible();
  });
}
