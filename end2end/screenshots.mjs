// Pictures of the pages, wide and narrow, light and dark.
//   node screenshots.mjs FOLDER [URL]     without URL a demo of its own is started
import { chromium } from "@playwright/test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startDemo } from "./support/server.mjs";

const [folder, given] = process.argv.slice(2);
if (!folder) {
  console.error("Usage: node screenshots.mjs FOLDER [URL]");
  process.exit(2);
}
const demo = given ? { url: given, stop: async () => {} } : await startDemo();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });

const person = async (email, options) => {
  const context = await browser.newContext({ baseURL: demo.url, deviceScaleFactor: 1, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  if (email) {
    await page.goto("/login");
    await page.getByLabel("Email").fill(email);
    await page.getByLabel("Password", { exact: true }).fill("batchdesk-demo");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((url) => url.pathname !== "/login");
  }
  return page;
};
/** The first batch that a list leads to, if there is one. */
const first = (list, prefix) => async (page) => {
  await page.goto(list);
  const paths = await page.locator(`a[href^="${prefix}"]`).evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
  return paths.find((path) => /\/[0-9a-f-]{36}$/.test(path));
};

const PICTURES = [
  ["login", undefined, async () => "/login"],
  ["home", "maker@acme.test", async () => "/"],
  ["list", "maker@acme.test", async () => "/batch/batch-refunds"],
  ["new", "maker@acme.test", async () => "/batch/batch-refunds/new"],
  ["detail", "maker@acme.test", first("/batch/batch-refunds", "/batch/batch-refunds/")],
  ["approval", "checker@acme.test", first("/approvals", "/approvals/")],
];

try {
  await mkdir(folder, { recursive: true });
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [name, email, where] of PICTURES) {
        const page = await person(email, { viewport: { width, height }, colorScheme });
        const path = await where(page);
        if (path) {
          await page.goto(path);
          await page.locator("body[data-hydrated]").waitFor();
          await page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        } else {
          console.error(`${name}: there is nothing to show`);
          process.exitCode = 1;
        }
        await page.context().close();
      }
    }
  }
} finally {
  await browser.close();
  await demo.stop();
}
