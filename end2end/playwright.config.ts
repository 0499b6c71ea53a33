import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  globalSetup: "./support/global.mjs",
  fullyParallel: true,
  // One more than the cores of a small machine: a journey also waits.
  workers: 3,
  forbidOnly: !!process.env.CI,
  // A test that passes only the second time has found something.
  retries: 0,
  // Long: on a busy machine with two cores a journey of many pages takes a minute.
  timeout: 300_000,
  expect: { timeout: 45_000 },
  reporter: [["list"], ["./support/failures.mjs"]],
  use: {
    browserName: "chromium",
    locale: "en-GB",
    timezoneId: "America/New_York",
    // Calls, requests and the console, without the page as it was at each of them: that is taken of every step, also of the journeys
    // that pass, and costs a tenth of the run. `npx playwright test --trace on` has all of it.
    trace: { mode: "retain-on-failure", screenshots: false, snapshots: false, sources: true },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    },
  },
});
