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
    // Without pictures: those are taken of every step, also of the journeys that pass.
    trace: { mode: "retain-on-failure", screenshots: false, snapshots: true, sources: true },
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    },
  },
});
