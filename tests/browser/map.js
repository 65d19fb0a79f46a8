// map.js PLAYWRIGHT PAGE.html KEY FOLDER: look at a map as a person would, in a headless Chromium. KEY is one of its samples'.
// Screenshots go to FOLDER. Prints a line a check; exits 1 where one fails.
'use strict';
const path = require('path'), fs = require('fs'), os = require('os');
const [playwright, page_file, key, out] = process.argv.slice(2);
const {chromium} = require(path.join(playwright, 'node_modules', 'playwright-core'));

let failed = 0;
const check = (name, ok, more) => {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name}${more === undefined ? '' : '  (' + more + ')'}`);
  if (!ok) failed++;
};

(async () => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'ssl-browser.'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, viewport: {width: 1280, height: 800},
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  try {
    const page = await browser.newPage(), said = [], asked = [];
    page.on('console', m => { if (['error', 'warning'].includes(m.type())) said.push(m.text()); });
    page.on('pageerror', e => said.push(e.message));
    page.on('request', r => { if (!/^(file|data):/.test(r.url())) asked.push(r.url()); });
    const start = Date.now();
    await page.goto('file://' + path.resolve(page_file));
    await page.waitForFunction(() => document.body.dataset.ready === 'yes');
    await page.waitForTimeout(300);
    console.log(`     ready after ${Date.now() - start} ms, ${(fs.statSync(page_file).size / 1e6).toFixed(1)} MB`);
    const shot = name => page.screenshot({path: path.join(out, name + '.png')});
    const state = () => page.evaluate(() => map.state());
    const locate = k => page.evaluate(k => map.locate(k), k);
    const images = await page.evaluate(() => !!document.getElementById('sizes'));
    const total = (await state()).seen;
    await shot('whole');

    // Points are there: some pixels are not paper.
    const painted = await page.evaluate(() => {
      const c = document.getElementById('points'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      const paper = d.slice(0, 3).join();
      let count = 0;
      for (let i = 0; i < d.length; i += 4) if (d.slice(i, i + 3).join() !== paper) count++;
      return count;
    });
    check('points are drawn', painted > 100, painted + ' pixels');
    const frames = await page.evaluate(() => [1, 2, 3, 4, 5, 6, 7].map(() => map.frame()).sort((a, b) => a - b)[3]);
    check('a frame is quick', frames < 100, frames.toFixed(1) + ' ms for ' + total + ' points');

    // Hover.
    let at = await locate(key);
    check('the sample is on the map', at && at.x > 0 && at.y > 0);
    await page.mouse.move(at.x + 300, at.y, {steps: 2});
    await page.mouse.move(at.x, at.y, {steps: 2});
    const hovered = (await state()).hovered;
    check('hovering names a point', hovered && await page.isVisible('#tip') && (await page.textContent('#tip')).includes(hovered), hovered);
    await page.waitForTimeout(150);
    if (images)
      check('and shows its image', await page.evaluate(() => {
        const c = document.querySelector('#tip canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return d.some((v, i) => i % 4 === 3 && v);
      }));
    await shot('hover');

    // Click: neighbours.
    await page.mouse.click(at.x, at.y);
    const chosen = (await state()).chosen, near = await page.locator('#near button').count();
    check('a click chooses a point', chosen && (await page.textContent('#facts')).includes(chosen), chosen);
    check('and lists its neighbours', near > 0, near);
    await page.waitForTimeout(200);
    await shot('chosen');
    const other = await page.locator('#near button').first().getAttribute('title');
    await page.locator('#near button').first().click();
    check('a neighbour can be followed', (await state()).chosen === other, other);
    await page.keyboard.press('Escape');
    check('Escape lets go', (await state()).chosen === null && !await page.isVisible('#chosen'));

    // Filter.
    const groups = page.locator('#legend button');
    if (await groups.count() > 1) {
      await groups.first().click();
      const fewer = (await state()).seen;
      check('a group can be hidden', fewer < total, `${fewer} of ${total}`);
      await groups.first().click();
      await groups.nth(1).hover();
      await groups.nth(1).locator('.only').click();
      const only = (await state()).seen;
      check('or be the only one', only < fewer || only + fewer === total, only);
      await page.waitForTimeout(100);
      await shot('filtered');
      await page.click('#all');
      check('and all come back', (await state()).seen === total);
    }
    const kinds = await page.locator('#by option').allTextContents();
    for (const by of kinds) {
      await page.selectOption('#by', by);
      check(`colour by ${by}`, await groups.count() > 0, await groups.count() + ' groups');
    }
    if (kinds.length) await page.selectOption('#by', kinds[0]);

    // Search.
    await page.keyboard.press('/');
    await page.keyboard.type(key);
    await page.waitForTimeout(300);
    const hits = (await state()).seen;
    check('a search finds keys', hits >= 1 && hits < total, await page.textContent('#hits'));
    await page.keyboard.press('Enter');
    check('Enter chooses the first', ((await state()).chosen || '').includes(key));
    await shot('search');
    await page.fill('#query', 'no such key');
    await page.waitForTimeout(300);
    check('or says that there is none', (await state()).seen === 0 && (await page.textContent('#hits')).includes('No key'));
    await page.keyboard.press('Escape');
    check('Escape ends the search', (await state()).seen === total);
    await page.keyboard.press('Escape');

    // Zoom and pan.
    await page.click('#whole');
    at = await locate(key);
    await page.mouse.move(at.x, at.y);
    for (let i = 0; i < 6; i++) { await page.mouse.wheel(0, -250); await page.waitForTimeout(20); }
    await page.waitForTimeout(500);
    const close = await state(), there = await locate(key);
    check('the wheel zooms about the pointer', close.scale > 5 && Math.hypot(there.x - at.x, there.y - at.y) < 2 * close.scale, // the pointer is on whole pixels
      close.scale.toFixed(1) + ' times');
    if (images) check('close points become images', close.images > 0, close.images);
    await shot('close');
    await page.mouse.down();
    await page.mouse.move(at.x + 80, at.y + 30, {steps: 4});
    await page.mouse.up();
    const moved = await locate(key);
    check('dragging moves the map', Math.hypot(moved.x - there.x - 80, moved.y - there.y - 30) < 3);
    check('and chooses nothing', (await state()).chosen === null);
    await page.click('#whole');
    check('the whole map comes back', Math.abs((await state()).scale - 1) < 0.01);
    await page.setViewportSize({width: 420, height: 800});
    await page.waitForTimeout(200);
    await shot('narrow');
    await page.emulateMedia({colorScheme: 'dark'});
    await page.setViewportSize({width: 1280, height: 800});
    await page.waitForTimeout(300);
    await shot('dark');
    check('nothing on the console', said.length === 0, said.join(' | ') || undefined);
    check('nothing asked of the network', asked.length === 0, asked.join(' ') || undefined);
  } finally {
    await browser.close();
    fs.rmSync(profile, {recursive: true, force: true});
  }
  process.exit(failed ? 1 : 0);
})().catch(e => { console.error(e); process.exit(1); });
