import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  globalSetup: "./support/global.mjs",
  fullyParallel: true,
  workers: 2,
  forbidOnly: !!process.env.CI,
  // A test that passes only the second time has found something.
  retries: 0,
  // Long: on a busy machine with two cores a journey of many pages takes a minute.
  timeout: 150_000,
  expect: { timeout: 15_000 },
  reporter: [["list"], ["./support/failures.mjs"]],
  use: {
    browserName: "chromium",
    locale: "en-GB",
    timezoneId: "America/New_York",
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    },
  },
});
