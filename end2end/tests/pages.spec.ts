// Every page: it answers, it hydrates without a word in the console, it has no accessibility fault that axe can see.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, open, test, type Role } from "../support/desk";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const PAGES: [Role | "nobody", string][] = [
  ["nobody", "/login"],
  ["maker", "/"],
  ["maker", "/batch/batch-refunds"],
  ["maker", "/batch/batch-refunds/new"],
  ["maker", "/batch/batch-sync"],
  ["maker", "/batch/batch-sync/new"],
  ["checker", "/approvals"],
];

for (const [role, path] of PAGES) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`${path} is sound, ${colorScheme}`, async ({ as, nobody }) => {
      const page = role === "nobody" ? await nobody({ colorScheme }) : await as(role, { colorScheme });
      const answer = await open(page, path);
      expect(answer?.status()).toBe(200);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => (globalThis as any).axe.run(document, { resultTypes: ["violations"] }));
      expect(violations.map(({ id, nodes }: any) => `${id}: ${nodes.map((node: any) => node.target.join(" ")).join(", ")}`)).toEqual([]);
      // Nothing may stick out sideways on a narrow screen.
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    });
  }
}
