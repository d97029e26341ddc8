// The list of tokens in a file that changes under the running program.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import { parseTokens, TokenFile } from '../../../src/api/access/token-file.ts';
import { Misconfigured } from '../../../src/shared/base/errors.ts';
import type { EventName } from '../../../src/shared/observe/events.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { listOf, sha256 } from './tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'warren-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

const events = new Events();
const written = (token: string): string => JSON.stringify(listOf([[token, 'viewer']]));

/** In one step: written in place, the file could be read empty in between, which is a problem of its own. */
function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

/** Resolves with the next event of this name. */
function next(name: EventName): Promise<unknown> {
  return new Promise((resolve) => {
    const unsubscribe = events.subscribe(name, (message) => {
      unsubscribe();
      resolve(message);
    });
  });
}

test('a list that was swapped by a symbolic link is in force, and ends what was taken from it', async () => {
  const mount = join(folder, 'mount'); // as Kubernetes does it
  for (const version of ['v1', 'v2']) mkdirSync(join(mount, version), { recursive: true });
  writeFileSync(join(mount, 'v1', 'tokens.json'), written('first'));
  writeFileSync(join(mount, 'v2', 'tokens.json'), written('other'));
  symlinkSync('v1', join(mount, '..data'));
  symlinkSync('..data/tokens.json', join(mount, 'tokens.json'));
  const tokens = new AccessTokens({ apiToken: 'short', listed: [] });
  const file = new TokenFile(join(mount, 'tokens.json'), { tokens, events });
  await file.start();
  expect(tokens.find('first')).toMatchObject({ name: 'viewer-0', role: 'viewer' });

  const read = next('access.tokens-read');
  symlinkSync('v2', join(mount, '..new'));
  renameSync(join(mount, '..new'), join(mount, '..data'));
  expect(await read).toEqual({ tokens: ['viewer-0 (viewer)'] });
  expect(tokens.find('first')).toBeUndefined();
  expect(tokens.find('other')).toMatchObject({ role: 'viewer' });
  expect(tokens.find('short')).toMatchObject({ name: 'API_TOKEN', role: 'admin' });
  await file.stop();
});

test('a list that is wrong, and one that is gone, leave the last good one in force', async () => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, written('good'));
  const tokens = new AccessTokens({ listed: [] });
  const file = new TokenFile(path, { tokens, events });
  await file.start();

  const refused = next('access.tokens-refused');
  replace(path, '[{ "name": "a secret that shall not be logged"');
  expect(await refused).toEqual({ path, problem: 'it is not JSON' });
  expect(tokens.find('good')).toBeDefined();

  const gone = next('access.tokens-refused');
  rmSync(path);
  expect(await gone).toMatchObject({ problem: expect.stringContaining('ENOENT') });
  expect(tokens.find('good')).toBeDefined();

  const read = next('access.tokens-read');
  replace(path, '[]');
  await read;
  expect(tokens.find('good')).toBeUndefined();
  await file.stop();
});

describe('a program does not start with a list', () => {
  test.each([
    ['that is not there', () => join(folder, 'nowhere')],
    ['that is a folder', () => folder],
    ['that is a device without end', () => '/dev/zero'],
    [
      'that is too large',
      () => {
        const path = join(folder, 'large');
        writeFileSync(path, ' '.repeat(1_048_577));
        return path;
      },
    ],
    [
      'that is wrong',
      () => {
        const path = join(folder, 'wrong');
        writeFileSync(path, '{}');
        return path;
      },
    ],
  ])('%s', async (_, create) => {
    const path = create();
    const started = new TokenFile(path, { tokens: new AccessTokens({ listed: [] }), events }).start();
    await expect(started).rejects.toThrow(Misconfigured);
    await expect(started).rejects.toThrow(`TOKENS_FILE ${path}`);
  });
});

describe('a list', () => {
  const good = { name: 'ci', role: 'operator', sha256: sha256('x') };

  test('has digests as sha256sum writes them, in either case', () => {
    const digest = execFileSync('sha256sum', { input: 'x' }).toString().split(' ')[0] ?? '';
    expect(parseTokens(JSON.stringify([{ ...good, sha256: digest.toUpperCase() }]))).toEqual([good]);
  });

  test.each([
    [[{ ...good, role: 'root' }], '/0/role'],
    [[{ ...good, sha256: 'x' }], '/0/sha256: must be the SHA-256'],
    [[{ ...good, name: '' }], '/0/name'],
    [[{ ...good, name: 'a\nb' }], '/0/name'],
    [[{ ...good, name: 'API_TOKEN' }], '/0/name: must not be API_TOKEN'],
    [[{ ...good, token: 'in clear' }], '/0: '],
    [[good, { ...good, sha256: sha256('y') }], 'a name stands twice'],
    [[good, { ...good, name: 'cd' }], 'a token stands twice'],
    [Array.from({ length: 1_001 }, (_, n) => ({ ...good, name: `n${n}`, sha256: sha256(`${n}`) })), '1000'],
  ])('%j is refused', (list, message) => {
    expect(() => parseTokens(JSON.stringify(list))).toThrow(message);
    expect(() => parseTokens(JSON.stringify(list))).not.toThrow('in clear');
  });
});
