// What every command of the repository does with `--help` and with an option that it does not have.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runCommand } from '../../dev/command.ts';
import { helpText } from '../../dev/command-line.ts';

const root = resolve(import.meta.dirname, '../..');

/** The entry point of every npm script; what npm itself runs before or after another, and what needs packages of its own, is left out. */
const entries = Object.entries<string>(
  JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')).scripts,
).flatMap(([script, line]) => {
  const entry = /(?:src|dev|bench|test)\/[^ ]+\.ts/.exec(line)?.[0];
  const isHook = /^(pre|post)/.test(script);
  return entry === undefined || isHook || entry.startsWith('bench/versus') ? [] : [{ script, entry }];
});

async function run(entry: string, option: string) {
  return runCommand(process.execPath, [entry, option], {
    cwd: root,
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: 60_000,
  });
}

describe.each(entries)('npm run $script', ({ entry }) => {
  test('explains itself and does nothing', { timeout: 60_000 }, async () => {
    const { status, stdout, stderr } = await run(entry, '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.split('\n').length).toBeGreaterThan(2);
  });
});

test.each(['dev/start.ts', 'dev/services.ts', 'dev/migrate.ts', 'bench/enqueue/main.ts'])(
  '%s refuses an option that it does not have, and says where the options are',
  { timeout: 60_000 },
  async (entry) => {
    const { status, stdout, stderr } = await run(entry, '--nonsense');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^Unknown option '--nonsense'; `npm .*--help` names the options$/);
  },
);

test('the help names every option with its value, its default and its meaning', () => {
  const text = helpText({
    name: 'npm run example',
    about: 'Does something.',
    flags: {
      tag: { value: 'TAG', default: 'dev', meaning: 'a tag' },
      builder: { value: 'NAME', meaning: 'a builder' },
      check: { meaning: 'checks' },
    },
  });
  expect(text.split('\n')).toEqual([
    'npm run example -- [options]',
    '',
    'Does something.',
    '',
    '  --tag TAG       a tag (default dev)',
    '  --builder NAME  a builder',
    '  --check         checks',
    '  --help          prints this',
  ]);
});
