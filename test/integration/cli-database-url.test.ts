// A DATABASE_URL that leads nowhere: every command that works on the servers says so in one line, in time, with its exit code, and without the password.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { addOwnCommands } from '../../src/cli/add-commands.ts';
import { runWarren } from '../support/command-line.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

const root = resolve(import.meta.dirname, '../..');
const password = 'not-the-password';

let stack: AsyncDisposableStack;
/** Of a database with the present schema. */
let good: string;
let silentPort: number;

beforeAll(async () => {
  await using opened = new AsyncDisposableStack();
  good = opened.use(await createDatabase()).url;
  const silent = createServer((socket) => socket.on('error', () => {}).resume()); // takes the connection, and never says a word
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  opened.defer(async () => {
    const closed = once(silent, 'close');
    silent.close();
    await closed;
  });
  silentPort = (silent.address() as AddressInfo).port;
  stack = opened.move();
});

afterAll(async () => await stack.disposeAsync());

function changed(url: string, change: (url: URL) => void): string {
  const copy = new URL(url);
  change(copy);
  return copy.href;
}

const nowhere: [string, number, () => string, RegExp][] = [
  [
    'another scheme',
    1,
    () => `mysql://me:${password}@127.0.0.1/a`,
    /^.*DATABASE_URL must be a URL that begins with postgres/,
  ],
  [
    'a percent sign that stands for nothing',
    1,
    () => `postgres://me:${password}%@127.0.0.1/a`,
    /^.*DATABASE_URL has a percent sign that stands for nothing: write %25, as in a password$/,
  ],
  ['no URL', 1, () => `127.0.0.1 ${password}`, /^.*DATABASE_URL must be a URL/],
  [
    'a port where nobody listens',
    6,
    () => `postgres://me:${password}@127.0.0.1:1/a`,
    /^Postgres at 127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/,
  ],
  [
    'a name that nobody has',
    6,
    () => `postgres://me:${password}@nobody.invalid/a`,
    /^Postgres at nobody\.invalid (cannot be reached: |does not answer)/,
  ],
  [
    'a host that takes the connection and is silent',
    6,
    () => `postgres://me:${password}@127.0.0.1:${silentPort}/a`,
    /^Postgres at 127\.0\.0\.1:\d+ does not answer within 5 s$/,
  ],
  [
    'a user whom the server does not let in',
    1,
    () =>
      changed(good, (url) => {
        url.username = 'nobody';
        url.password = password;
      }),
    /^Postgres at \S+ refuses the URL of the database: .*"nobody"/,
  ],
  [
    'a database that is not there',
    1,
    () =>
      changed(good, (url) => {
        url.pathname = '/nothing';
      }),
    /^Postgres at \S+ refuses the URL of the database: database "nothing" does not exist$/,
  ],
];
const commands = [
  ['queues', 'list'],
  ['top', '--once'],
  ['rebuild'],
  ['bench', '--jobs', '1'],
  ['search-index', 'status'],
  ['search-index', 'create'],
];

describe.each(nowhere)('%s ends with %i', (_, code, url, reason) => {
  test.each(commands)('warren %s', async (...args) => {
    const ended = await runWarren(args, { DATABASE_URL: url() }, { add: addOwnCommands });
    expect(ended).toEqual({ code, out: '', err: expect.stringMatching(reason) });
    expect(ended.err.trimEnd()).not.toMatch(new RegExp(`\n|${password}`));
  });

  test('warren migrate', async () => {
    const { status, stdout, stderr } = await runCommand(process.execPath, ['src/cli/main.ts', 'migrate'], {
      cwd: root,
      env: { PATH: '/usr/bin:/bin', DATABASE_URL: url() },
      timeoutMs: HANG_MS,
    });
    expect({ status, stdout, stderr }).toEqual({
      status: code,
      stdout: '',
      stderr: expect.stringMatching(reason),
    });
    expect(stderr.trimEnd()).not.toMatch(new RegExp(`\n|${password}`));
  });
});

describe('a schema that is older than the command, or none at all, ends with 1', () => {
  test.each(commands)('warren %s', async (...args) => {
    await using database = await createDatabase();
    const sql = postgres(database.url, { max: 1, onnotice: () => {} });
    await sql`delete from warren.migrations where version > 40`;
    const older = await runWarren(args, { DATABASE_URL: database.url }, { add: addOwnCommands });
    await sql`drop schema warren cascade`;
    const none = await runWarren(args, { DATABASE_URL: database.url }, { add: addOwnCommands });
    await sql.end();
    expect(older).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/has version [1-9]\d*, .*migrate" first$/),
    });
    expect(none).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(/has version 0, .*migrate" first$/),
    });
  });
});
