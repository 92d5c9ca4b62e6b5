// Open views of the page in headless Chromium: a picture of each, and what axe-core finds.
// usage: node look.mjs < PLAN.json     (tests/page/test_page.py writes the plan and reads the answer)
//
// plan: { playwright, axe, chromium, out, address, token, views: [path, ...] }
// Prints { shots: [{ view, size, scheme, file, violations, wide }], errors, elsewhere, steps, viewer }.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { view } from './viewing.mjs';

const plan = JSON.parse(fs.readFileSync(0, 'utf8'));
const { chromium } = createRequire(import.meta.url)(plan.playwright);
const SIZES = { desk: { width: 1024, height: 768 }, phone: { width: 390, height: 844 } };
const heard = { errors: [], elsewhere: [] };

const browser = await chromium.launch({
  executablePath: plan.chromium, headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

async function open(size, scheme) {
  // the policy of the page allows no script from outside, which axe-core is
  const context = await browser.newContext({
    viewport: SIZES[size], colorScheme: scheme, bypassCSP: true, timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.on('pageerror', e => heard.errors.push(String(e)));
  page.on('console', m => { if (m.type() === 'error') heard.errors.push(m.text()); });
  page.on('request', r => { if (!r.url().startsWith(plan.address) && !r.url().startsWith('data:')) heard.elsewhere.push(r.url()); });
  return page;
}

async function logIn(page) {
  await page.goto(`${plan.address}/studies`);
  await page.getByLabel('Token').fill(plan.token);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${plan.address}/studies`);
}

async function look(page, view, size, scheme) {
  await page.goto(plan.address + view, { waitUntil: 'networkidle' });
  await page.addScriptTag({ path: plan.axe });
  const found = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }));
  const file = path.join(plan.out, `${view.replaceAll('/', '_')}-${size}-${scheme}.png`);
  await page.screenshot({ path: file, fullPage: true });
  return {
    view, size, scheme, file,
    violations: found.violations.map(v => ({ id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html).slice(0, 3) })),
    wide: await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth),
  };
}

// What a PACS administrator does, with the keyboard alone.
async function walk(page) {
  const steps = {};
  await page.goto(plan.address);
  await page.keyboard.press('Tab');
  steps.skip = await page.evaluate(() => document.activeElement.textContent);
  await page.keyboard.press('Enter');
  steps.landed = await page.evaluate(() => document.activeElement.id);
  steps.verdict = await page.locator('#verdict').innerText();
  await page.getByLabel(/accession number/).fill(plan.accession);
  await page.keyboard.press('Enter');
  await page.waitForURL(/studies\/\d+$/);
  steps.study = await page.locator('h1').innerText();
  await page.goto(`${plan.address}/deliveries`);
  await page.getByRole('button', { name: /^Send again: / }).first().focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/done=/);
  steps.done = await page.getByRole('status').innerText();
  await page.goto(`${plan.address}/rules`);
  await page.getByLabel(/^DICOM files/).setInputFiles(plan.file);
  await page.locator('#r-found summary').first().waitFor();
  steps.rules = await page.locator('#r-found').innerText();
  await page.goto(plan.address);
  await page.locator('#c-latency canvas').waitFor();
  steps.curves = await page.locator('.curves canvas').count();
  steps.said = await page.locator('#c-said').innerText();
  return steps;
}

// The page as it is for everybody, with its policy: the part that renews itself does so.
async function renews() {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on('console', m => { if (m.type() === 'error') heard.errors.push(m.text()); });
  await logIn(page);
  await page.goto(plan.address);
  const [answer] = await Promise.all([
    page.waitForResponse(r => r.request().headers()['hx-request'] === 'true', { timeout: 60000 }),
  ]);
  await page.waitForTimeout(500);
  return answer.status() === 200 && await page.locator('#live').count() === 1;
}

try {
  const shots = [];
  for (const [size, scheme] of [['desk', 'light'], ['phone', 'dark']]) {
    const page = await open(size, scheme);
    shots.push(await look(page, '/login', size, scheme));
    await logIn(page);
    for (const view of plan.views) shots.push(await look(page, view, size, scheme));
    await page.context().close();
  }
  const page = await open('desk', 'light');
  await logIn(page);
  const steps = await walk(page);
  steps.renewed = await renews();
  const viewer = await view(page, `${plan.address}/studies/4/images`);
  console.log(JSON.stringify({ shots, steps, viewer, ...heard }));
} finally {
  await browser.close();
}
