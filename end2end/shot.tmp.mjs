import { chromium } from "@playwright/test";
const [url, width, scheme, email, path, out, wait] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox","--disable-gpu","--disable-background-networking"] });
const ctx = await browser.newContext({ baseURL: url, viewport: { width: +width, height: 900 }, colorScheme: scheme, reducedMotion: "reduce" });
const page = await ctx.newPage();
page.on('console', m => console.log('console', m.type(), m.text()));
page.on('pageerror', e => console.log('pageerror', e.message));
if (email !== '-') { await page.goto('/login'); await page.fill('input[name=email]', email); await page.fill('input[name=password]', 'batchdesk-demo'); await page.click('button:has-text("Sign in")'); await page.waitForURL(u=>u.pathname!=='/login'); }
let p = path;
if (p.includes('FIRST')) { const list = p.split('FIRST')[0]; await page.goto(list.replace(/\/$/,'')); const href = await page.locator(`a[href^="${list}"]`).evaluateAll(l=>l.map(a=>new URL(a.href).pathname).find(x=>/[0-9a-f-]{36}$/.test(x))); p = href; }
await page.goto(p);
if (wait) await page.locator('body[data-hydrated]').waitFor();
await page.waitForTimeout(300);
await page.screenshot({ path: out, fullPage: true });
await browser.close();
