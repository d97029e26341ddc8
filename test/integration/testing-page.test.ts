// docs/testing.md: its examples, each as a file of a project that has this package, run by the test runner that they are written for.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { HANG_MS } from '../support/eventually.ts';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/testing.md'), 'utf8');
let folder: string;

beforeAll(() => {
  const below = join(root, '.services/test'); // below the package, so that it finds itself by its name
  mkdirSync(below, { recursive: true });
  folder = mkdtempSync(join(below, 'testing-page-'));
  for (const [, name = '', text = ''] of page.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```/gms))
    writeFileSync(join(folder, name), text);
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  [
    'vitest',
    [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', '.', 'greet.test.ts'],
    /2 passed/,
  ],
  ['node:test', ['--test', '--test-reporter=tap', 'greet.test.mts'], /^# pass 1$/m],
])('the example for %s passes', async (_, args, passed) => {
  const env = { PATH: '/usr/bin:/bin', DATABASE_URL: inject('databaseUrl'), NO_COLOR: '1' };
  const options = { cwd: folder, env, timeoutMs: 2 * HANG_MS };
  const { status, stdout, stderr } = await runCommand(process.execPath, args, options);
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toMatch(passed);
});
