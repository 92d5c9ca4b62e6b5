// Open studies in OHIF with headless Chromium, one series after the other, and keep what is seen.
// usage: node look.mjs PLAN.json     (tests/viewer/browser.py writes the plan and reads the answer)
//
// plan: { viewer, playwright, chromium, out, list, studies: [{ name, uid, series: [text, ...] }] }
// Prints { shots: [{ study, series, file, pane, labels, text, listed, notices, errors, failed }], list, asked }:
// pane and labels with their place in the picture, listed the texts of the thumbnails. A series is found by a text of its thumbnail; null is
// what the viewer shows first. list is the text of the list of studies, if the plan asks for it (its
// picture is list.png); asked has the origin of every request.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';

const plan = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const { chromium } = createRequire(import.meta.url)(plan.playwright);
const origin = new URL(plan.viewer).origin;
const LOAD_MS = 120000, SETTLE_MS = 20000, LOOK_MS = 400, ATTEMPTS = 5;
const THUMBNAIL = '[data-cy="study-browser-thumbnail"],[data-cy="study-browser-thumbnail-no-image"]';
const PANE = '[data-cy="viewport-pane"]';

const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'viewer-profile-'));
// Images are drawn by WebGL, in software; without the compositing of the page, which takes longer that way.
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: plan.chromium, headless: true, viewport: { width: 1280, height: 800 },
  args: ['--no-sandbox', '--no-first-run', '--disable-background-networking', '--disable-sync',
    '--disable-component-update', '--use-gl=angle', '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader', '--disable-gpu-compositing',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
});
const page = browser.pages()[0] ?? await browser.newPage();
const heard = { errors: [], failed: [], notices: new Set() };
const asked = new Set();
browser.on('request', r => asked.add(new URL(r.url()).origin));
page.on('console', m => { if (m.type() === 'error') heard.errors.push(m.text()); });
page.on('pageerror', e => heard.errors.push(String(e)));
page.on('response', r => {
  if (r.status() >= 400) heard.failed.push(`${r.status()} ${r.url().replace(origin, '')}`);
});

// A notice goes after seconds, on a busy machine before the picture is taken.
async function listen() {
  const shown = await page.$$eval('[data-sonner-toast]', all => all.map(e => e.textContent.trim()));
  shown.forEach(text => heard.notices.add(text));
}

// Two looks that agree: a half-drawn picture is not kept.
async function settled() {
  const end = Date.now() + SETTLE_MS;
  let last = null;
  while (Date.now() < end) {
    await page.waitForTimeout(LOOK_MS);
    await listen();
    const now = (await page.locator(PANE).first().screenshot()).toString('base64');
    if (now === last) return;
    last = now;
  }
}

// What the pane shows is whole: an image is lit, a map or a capture has a colour, a report has text on a lit
// image. A notice says why an image or a report is not shown.
async function whole(kind, timeout = SETTLE_MS) {
  const drawn = page.waitForFunction(([pane, kind]) => {
    const coloured = kind === 'colour';
    if (!coloured && document.querySelector('[data-sonner-toast]')) return true;
    if (kind === 'report' && !document.querySelector(`${pane} svg text`)) return false;
    return [...document.querySelectorAll(`${pane} canvas`)].some(canvas => {
      const { width, height } = canvas;
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
      let lit = 0;
      for (let i = 0; i < pixels.length; i += 4) {
        const [red, green, blue] = [pixels[i], pixels[i + 1], pixels[i + 2]];
        if (coloured && Math.max(red, green, blue) - Math.min(red, green, blue) > 25) return true;
        lit += Math.max(red, green, blue) > 24;
      }
      return !coloured && lit > width * height / 50;
    });
  }, [PANE, kind], { timeout, polling: LOOK_MS });
  return drawn.then(() => true, () => false);
}

function kindOf(listed) {
  if (/^SR/.test(listed)) return 'report';
  return /^(PMAP|OT)/.test(listed) ? 'colour' : 'image';
}

// Open a series and keep what is seen. On a busy machine the viewport may stay black or show the series
// before, and the text of a report may come late or go again when its image is drawn. Then the source is
// opened, and the series again, as a user would do.
async function shotOf(study, series) {
  const thumbnail = series === null ? null : page.locator(THUMBNAIL).filter({ hasText: series }).first();
  const kind = thumbnail ? kindOf((await thumbnail.innerText({ timeout: LOAD_MS })).trim()) : 'image';
  for (let times = 1; ; times++) {
    await thumbnail?.dblclick({ timeout: LOAD_MS });
    await whole(kind);
    const shot = await look(study, series);
    const explained = kind !== 'colour' && heard.notices.size > 0;
    const kept = (kind !== 'report' || shot.labels.length) && await whole(kind, 5 * LOOK_MS);
    if (explained || kept || times === ATTEMPTS) return shot;
    await page.locator(THUMBNAIL).first().dblclick({ timeout: LOAD_MS });
    await whole('image');
    await settled();
  }
}

async function look(study, series) {
  await settled();
  await dismiss();
  const file = path.join(plan.out, `${study.name}-${study.shots}.png`);
  await page.mouse.move(5, 5);
  fs.writeFileSync(file, await page.screenshot());
  const pane = page.locator(PANE).first();
  await listen();
  const labels = await page.$$eval(`${PANE} svg text`, all => all.map(e => {
    const { x, y, width, height } = e.getBoundingClientRect();
    return { text: e.textContent.trim(), x, y, width, height };
  }));
  return {
    study: study.name, series, file,
    pane: await pane.boundingBox(),
    labels: labels.filter(label => label.text && label.width),
    text: (await pane.innerText()).replace(/\s+/g, ' '),
    listed: await page.$$eval(THUMBNAIL, all => all.map(e => e.innerText.replace(/\s+/g, ' ').trim())),
  };
}

// What a first visit asks: that this is for research, and whether one wants to be shown around. It may come at
// any moment, and lies over everything: it is answered before each action, and before each picture.
const FIRST_VISIT = [/confirm and hide/i, /^skip all$/i].map(
  name => page.getByRole('button', { name }).or(page.getByText(name)).first());
// One of the two may lie over the other: a click with the mouse would not reach it. On a busy machine a button
// is shown before it listens: it is pressed until it goes.
async function press(button) {
  for (let times = 0; times < 40 && await button.isVisible(); times++) {
    await button.evaluate(e => e.click(), null, { timeout: 5000 }).catch(() => {});
    await button.waitFor({ state: 'hidden', timeout: LOOK_MS }).catch(() => {});
  }
}
for (const button of FIRST_VISIT) {
  await page.addLocatorHandler(button, press);
}

async function dismiss() {
  for (const button of FIRST_VISIT) {
    if (await button.count()) await press(button);
  }
}

async function readList() {
  await page.goto(`${plan.viewer}/`, { timeout: LOAD_MS });
  await page.waitForSelector('tbody tr:has-text(":")', { timeout: LOAD_MS });
  await page.waitForTimeout(LOOK_MS);
  await dismiss();
  await page.screenshot({ path: path.join(plan.out, 'list.png') });
  return page.innerText('body');
}

const shots = [];
let list = '';
try {
  if (plan.list) list = await readList();
  for (const study of plan.studies) {
    study.shots = 0;
    await page.goto(`${plan.viewer}/viewer?StudyInstanceUIDs=${study.uid}`, { timeout: LOAD_MS });
    await page.waitForSelector(THUMBNAIL, { timeout: LOAD_MS });
    await page.waitForSelector(PANE, { timeout: LOAD_MS });
    await whole('image'); // what is opened before the source is there may never be drawn
    for (const series of study.series) {
      const shot = await shotOf(study, series);
      study.shots++;
      const [errors, failed] = [heard.errors.splice(0), heard.failed.splice(0)];
      shots.push({ ...shot, notices: [...heard.notices], errors, failed });
      heard.notices.clear();
    }
  }
} catch (error) {
  await page.screenshot({ path: path.join(plan.out, 'failed.png') }).catch(() => {});
  console.error(JSON.stringify({ ...heard, notices: [...heard.notices] }));
  throw error;
} finally {
  await browser.close();
  fs.rmSync(profile, { recursive: true, force: true });
}
console.log(JSON.stringify({ shots, list, asked: [...asked] }));
