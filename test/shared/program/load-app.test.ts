import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadApp } from '../../../src/shared/program/load-app.ts';
import { readAppModule } from '../../../src/shared/settings/config.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-load-app-'));
  const value = 'export const app = { name: "own", queues: new Map(), definitions: new Map() };';
  await writeFile(join(folder, 'own.mjs'), value);
  await writeFile(join(folder, 'none.mjs'), 'export const application = 1;');
  await writeFile(join(folder, 'broken.mjs'), 'throw new Error("two\\nlines");');
  const older =
    'Object.assign(new TypeError(`Unknown file extension ".mts" for /app.mts`), { code: "ERR_UNKNOWN_FILE_EXTENSION" })';
  await writeFile(join(folder, 'older.mjs'), `throw ${older};`); // as Node 20 refuses TypeScript
});

afterAll(async () => await rm(folder, { recursive: true }));

test('a program runs the shop where WARREN_APP names nothing else', async () => {
  expect(readAppModule({})).toBe('warren/examples/shop');
  expect(readAppModule({ WARREN_APP: '' })).toBe('warren/examples/shop');
  expect(readAppModule({ WARREN_APP: './own.ts' })).toBe('./own.ts');
  expect(await loadApp(readAppModule({}))).toMatchObject({ name: 'shop' });
});

test('an application is loaded by its path or its URL, and knows its module', async () => {
  const path = join(folder, 'own.mjs');
  const { href } = pathToFileURL(path);
  expect(await loadApp(path)).toMatchObject({ name: 'own', module: href });
  expect(await loadApp(href)).toMatchObject({ name: 'own', module: href });
});

test.each([
  ['none.mjs', /none\.mjs exports no "app" that defineApp has made \(WARREN_APP\)$/],
  ['broken.mjs', /broken\.mjs cannot be loaded \(WARREN_APP\): Error: two/],
  [
    'older.mjs',
    /: TypeError: Unknown file extension ".mts" .* \(from 22\.18 on Node runs TypeScript; this is v\d/,
  ],
  ['missing.mjs', /missing\.mjs cannot be loaded \(WARREN_APP\): there is no file \/\S+\/missing\.mjs$/],
])('%s is refused with one readable line', async (name, message) => {
  await expect(loadApp(join(folder, name))).rejects.toMatchObject({
    name: 'Misconfigured',
    message: expect.stringMatching(message),
  });
});
