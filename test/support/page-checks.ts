// What every page of the dashboard is held to, in a real browser: no serious finding of axe-core in either theme, and no scrolling sideways on a small telephone.
// Makes the pictures of the documentation on the way, where `DASHBOARD_PICTURES` names their folder.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { expect } from 'vitest';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = process.env['DASHBOARD_PICTURES'];

/** For a page that is checked: axe is a script of ours, and must see no colour on its way to another. */
export const checkedOptions: BrowserContextOptions = { bypassCSP: true, reducedMotion: 'reduce' };

/** `name`: of the picture. */
export async function checkPage(page: Page, url: string, name: string): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(url);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await findSerious(page), `${name}, ${colorScheme}`).toEqual([]);
    if (pictures !== undefined && colorScheme === 'light')
      await page.screenshot({ path: `${pictures}/dashboard-${name}.png` });
  }
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await page.evaluate('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(320);
}

async function findSerious(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))`,
  );
}
