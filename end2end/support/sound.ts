// What every page must stand, wide and narrow, by day and by night: no fault that axe can see, nothing that sticks out sideways.
import type { Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect } from "./app";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

type Violation = { id: string; nodes: { html: string; target: string[]; failureSummary: string }[] };

/** By night the same page has other colours and nothing else: only they are looked at again. */
const RULES = { light: {}, dark: { runOnly: ["color-contrast", "link-in-text-block"] } };

/** Looks at the page as it is now, and leaves it 1280 pixels wide. */
export async function sound(page: Page, name: string) {
  await page.evaluate(axe);
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${name}, ${width} pixels, ${colorScheme}`;
      const violations = await page.evaluate(
        async (rules) =>
          (await (globalThis as unknown as { axe: { run: Function } }).axe.run(document, { resultTypes: ["violations"], ...rules })).violations as Violation[],
        RULES[colorScheme],
      );
      const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(" ")} ${node.html.slice(0, 120)} (${node.failureSummary})`).join(", ")}`);
      expect.soft(said, where).toEqual([]);
    }
    expect.soft(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), `${name}, ${width} pixels, sideways`).toBeLessThanOrEqual(0);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}
