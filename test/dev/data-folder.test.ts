// Data folders that another user has to reach, with the kernel's answer to that question given.
import { existsSync, lstatSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import type { RunCommand } from '../../dev/command.ts';
import { discardFolder, keptPassword, ownedFolder } from '../../dev/services/data-folder.ts';

const reachable: RunCommand = async () => ({ status: 0, stdout: '', stderr: '' });
const unreachable: RunCommand = async () => ({ status: 2, stdout: '', stderr: 'cannot cd' });
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
let base = '';
let folder = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'warren-folder-'));
  folder = join(base, 'below', 'postgres');
});

afterEach(() => {
  discardFolder(folder);
  rmSync(base, { recursive: true, force: true });
});

test('a reachable folder is made in place, for its owner alone', async () => {
  expect(await ownedFolder({ folder, owner, run: reachable })).toBe(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('an unreachable one becomes a link to a private temporary folder, and the next run finds the same', async () => {
  const real = await ownedFolder({ folder, owner, run: unreachable });
  expect(lstatSync(folder).isSymbolicLink()).toBe(true);
  expect(statSync(real).mode & 0o777).toBe(0o700);
  expect(await ownedFolder({ folder, owner, run: unreachable })).toBe(real);
});

test('a link whose target was cleared away is made anew', async () => {
  const real = await ownedFolder({ folder, owner, run: unreachable });
  rmSync(real, { recursive: true });
  expect(existsSync(await ownedFolder({ folder, owner, run: unreachable }))).toBe(true);
});

test('discarding removes what the link leads to as well', async () => {
  await ownedFolder({ folder, owner, run: unreachable });
  const target = readlinkSync(folder);
  writeFileSync(join(target, 'data'), '');
  discardFolder(folder);
  expect([existsSync(target), existsSync(folder)]).toEqual([false, false]);
});

test('a password is made once, for its owner alone', () => {
  const file = join(base, 'password');
  const password = keptPassword(file);
  expect(password).toMatch(/^[0-9a-f]{24}$/);
  expect(keptPassword(file)).toBe(password);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
