// What a person does with the images of a study; returns what they see.

const said = page => page.locator('#v-place').innerText();
const canvas = page => page.locator('#v-source canvas');

// The picture that was asked for last has come.
async function settled(page) {
  await page.locator('#viewer[aria-busy="false"]').waitFor();
  await page.waitForLoadState('networkidle');
}

async function picture(page) {
  await settled(page);
  return canvas(page).evaluate(one => one.toDataURL());
}

async function press(page, key) {
  await page.locator('#v-source').press(key);
  await settled(page);
  return said(page);
}

export async function view(page, address) {
  const seen = { pictures: [], windows: [], heat: [], opacity: [] };
  await page.goto(address);
  await settled(page);
  seen.report = await page.locator('.report').innerText();
  seen.layers = await page.locator('#v-layer option').allInnerTexts();

  const heat = page.locator('#v-heat');
  const opacity = () => heat.evaluate(one => one.style.opacity);
  seen.opacity.push(await opacity());
  await page.getByLabel(/^Opacity/).press('ArrowLeft');
  seen.opacity.push(await opacity());

  for (const layer of ['0', '1']) {
    await page.getByLabel('Heat map of').selectOption(layer);
    await page.getByRole('button', { name: 'Next image with heat map' }).click();
    seen.heat.push(await heat.getAttribute('src'));
  }
  seen.next = await heat.isVisible();
  const boxes = await Promise.all([heat, page.locator('#v-over canvas')].map(one => one.boundingBox()));
  seen.over = ['x', 'width'].map(side => Math.abs(boxes[0][side] - boxes[1][side]) < 1);

  seen.end = await press(page, 'End');
  seen.home = await press(page, 'Home');
  seen.pictures.push(await picture(page));
  await page.locator('#v-source').hover();
  await page.mouse.wheel(0, 100);
  await page.waitForFunction(() => document.getElementById('v-place').textContent.startsWith('2 of'));
  seen.wheel = await said(page);
  seen.pictures.push(await picture(page));
  await page.getByLabel(/^Image/).first().press('ArrowRight');
  seen.slider = await said(page);
  seen.pictures.push(await picture(page));

  seen.windows.push(await picture(page));
  await page.getByLabel('Preset').selectOption('Lung');
  seen.windows.push(await picture(page));
  const box = await page.locator('#v-source').boundingBox();
  await page.mouse.move(box.x + 50, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 150, box.y + 120, { steps: 5 });
  await page.mouse.up();
  seen.windows.push(await picture(page));
  return seen;
}
