// The commands that ask the API: over HTTP and on the servers themselves they print what it answers, and do what it does.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addOwnCommands } from '../../src/cli/add-commands.ts';
import { apiCommands } from '../../src/cli/api-commands.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { createTerminal, createWatchedTerminal, runWarren } from '../support/command-line.ts';
import { asRole, asUser, createDatabase, createVhost } from '../support/servers.ts';

const token = 'the-token-of-the-operator';
const viewerToken = 'the-token-of-the-viewer';
const bearer = { authorization: `Bearer ${token}` };

/** Who runs the tests. */
const person = `${userInfo().username}@${hostname()}`;

let stack: AsyncDisposableStack;
let api: RunningApi;
let overHttp: Record<string, string>;
let onServers: Record<string, string>;
let onWorker: Record<string, string>;
let asOwner: Record<string, string>;
let folder: string;

beforeAll(async () => {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createDatabase());
  const vhost = opened.use(await createVhost());
  folder = mkdtempSync(join(tmpdir(), 'warren-cli-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  const tokens = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(viewerToken).digest('hex');
  writeFileSync(tokens, JSON.stringify([{ name: 'viewer', role: 'viewer', sha256 }]));
  api = opened.use(
    await startApi({
      databaseUrl: database.url,
      amqpUrl: vhost.url,
      environment: { API_TOKEN: token, TOKENS_FILE: tokens },
    }),
  );
  overHttp = { WARREN_URL: api.url, WARREN_TOKEN: token };
  onServers = { DATABASE_URL: asRole(database.url, 'api'), AMQP_URL: asUser(vhost.url, 'api') };
  asOwner = { DATABASE_URL: database.url };
  onWorker = { DATABASE_URL: asRole(database.url, 'worker'), AMQP_URL: asUser(vhost.url, 'worker') };
  stack = opened.move();
});

afterAll(async () => await stack.disposeAsync());

const over = (args: string[]) => runWarren(args, overHttp);
/** What the API says of a job. */
const find = async (id: string) => (await api.get(`/v1/jobs/${id}`, bearer)).body.job;
async function enqueue(...options: string[]): Promise<string> {
  const { out } = await over(['jobs', 'enqueue', 'process-order', '{"orderId":"7"}', '--json', ...options]);
  return JSON.parse(out).job.id;
}

test('every route of the API that is for programs has a command', async () => {
  const { body } = await api.get('/openapi.json', bearer);
  const served = Object.entries<object>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const others = /^\w+ \/(api\/test|livez|readyz|metrics|openapi\.json|docs|sign-in|sign-out|dashboard)/;
  const commands = new Set(apiCommands.map(({ route }) => `${route.method} ${route.path}`));
  expect(served.filter((route) => !commands.has(route) && !others.test(route))).toEqual([]);
  expect([...commands].filter((route) => !served.includes(route))).toEqual([]);
});

describe('with --json it prints what the API answers', () => {
  beforeAll(async () => {
    await enqueue('--delay-ms', '3600000', '--tags', 'blue', '--tags', 'new');
    await over(['schedules', 'put', 'nightly', 'build-report', '{"days":1}', '--cron', '0 2 * * *']);
    await over([
      'limits',
      'set',
      'stripe',
      '--concurrency',
      '3',
      '--rate-count',
      '5',
      '--rate-per-ms',
      '1000',
    ]);
  });

  test.each<[string[], string]>([
    [
      ['jobs', 'list', '--state', 'scheduled', '--state', 'available', '--tag', 'blue', '--limit', '2'],
      '/v1/jobs?state=scheduled&state=available&tag=blue&limit=2',
    ],
    [['jobs', 'show', '1'], '/v1/jobs/1'],
    [['jobs', 'logs', '1'], '/v1/jobs/1/logs'],
    [['explain', '1'], '/v1/jobs/1/explain'],
    [['queues', 'list'], '/v1/queues'],
    [['types', 'list'], '/v1/types'],
    [['workers', 'list'], '/v1/workers'],
    [['batches', 'list'], '/v1/batches'],
    [['dead-letters', 'list'], '/v1/dead-letters'],
    [['schedules', 'list'], '/v1/schedules'],
    [['schedules', 'history', 'nightly'], '/v1/schedules/nightly/history'],
    [['limits', 'list'], '/v1/limits'],
    [['audit', 'list', '--act', 'limits', '--target', 'stripe'], '/v1/audit?act=limits&target=stripe'],
    [['limits', 'show', 'stripe'], '/v1/limits/stripe'],
    [['jobs', 'show', '999999'], '/v1/jobs/999999'],
  ])('%j', async (args, path) => {
    const { status, body } = await api.get(path, bearer);
    for (const environment of [overHttp, onServers]) {
      const { code, out, err } = await runWarren([...args, '--json'], environment);
      expect(JSON.parse(out)).toEqual(body);
      expect({ code, isQuiet: err === '' }).toEqual(
        status === 200 ? { code: 0, isQuiet: true } : { code: 3, isQuiet: false },
      );
    }
  });
});

test('jobs are enqueued, edited, run, cancelled, retried and deleted', async () => {
  const id = await enqueue('--run-at', '2090-01-01T00:00:00Z', '--priority', '3', '--unique-key', 'cli-1');
  expect(await find(id)).toMatchObject({
    state: 'scheduled',
    args: { orderId: '7' },
    priority: 3,
    uniqueKey: 'cli-1',
    runAt: '2090-01-01T00:00:00.000Z',
  });
  await over(['jobs', 'edit', id, '--priority', '5', '--args', '{"orderId":"8"}']);
  expect(await find(id)).toMatchObject({ priority: 5, args: { orderId: '8' } });
  await over(['jobs', 'run', id]);
  expect(await find(id)).toMatchObject({ state: 'available' });
  await over(['jobs', 'cancel', id]);
  expect(await find(id)).toMatchObject({ state: 'cancelled' });
  await runWarren(['jobs', 'retry', id], onServers);
  expect(await find(id)).toMatchObject({ state: 'available' });
  const deleted = await over(['jobs', 'delete', id, '--json']);
  expect(JSON.parse(deleted.out).job).toMatchObject({ id });
  expect(await find(id)).toBeUndefined();
});

test('many jobs are enqueued from a file, and acted on by a filter', async () => {
  const file = join(folder, 'jobs.json');
  const jobs = ['1', '2', '3'].map((orderId) => ({
    type: 'process-order',
    args: { orderId },
    tags: ['many'],
    delayMs: 3_600_000,
  }));
  writeFileSync(file, JSON.stringify({ jobs }));
  const { out } = await over(['jobs', 'enqueue-many', '--body', file, '--json']);
  expect(JSON.parse(out).ids).toHaveLength(3);
  const bulk = ['jobs', 'bulk', 'edit', '--tag', 'many', '--set-priority', '4', '--json'];
  expect(JSON.parse((await over([...bulk, '--dry-run'])).out)).toEqual({ count: 3 });
  const args = ['--type', 'process-order', '--set-args', '{"orderId":"9"}'];
  expect(JSON.parse((await over([...bulk, ...args, '--dry-run'])).out)).toEqual({ count: 3 });
  expect(JSON.parse((await over(bulk)).out).job).toMatchObject({
    type: 'act-on-jobs',
    args: { action: 'edit', filter: { tag: ['many'] }, set: { priority: 4 } },
  });
});

test('a batch is made, looked at, closed and cancelled', async () => {
  const jobs = JSON.stringify([{ type: 'process-order', args: { orderId: '1' }, delayMs: 3_600_000 }]);
  const made = await over(['batches', 'create', '--open', '--jobs', jobs, '--json']);
  const { id } = JSON.parse(made.out);
  expect((await over(['batches', 'show', id])).out).toMatch(/^total +1$/m);
  expect(JSON.parse((await over(['batches', 'close', id, '--json'])).out)).toMatchObject({
    open: false,
  });
  await over(['batches', 'cancel', id]);
  expect((await api.get(`/v1/batches/${id}`, bearer)).body.counts).toEqual({ cancelled: 1 });
});

test('queues, types, schedules and limits are acted on', async () => {
  const acts: [string[], unknown][] = [
    [['queues', 'pause', 'reports'], { name: 'reports', paused: true }],
    [['queues', 'resume', 'reports'], { name: 'reports', paused: false }],
    [
      ['queues', 'set', 'reports', '--channels', '2', '--max-depth', '10'],
      { name: 'reports', paused: false, channels: 2, prefetch: null, maxDepth: 10 },
    ],
    [
      ['queues', 'set', 'reports', '--channels', 'null', '--max-depth', 'null'],
      { name: 'reports', paused: false, channels: null, prefetch: null, maxDepth: null },
    ],
    [['queues', 'drain', 'reports'], { queue: 'reports', cancelled: 0 }],
    [['types', 'pause', 'build-report'], { type: 'build-report', paused: true }],
    [['types', 'resume', 'build-report'], { type: 'build-report', paused: false }],
  ];
  for (const [args, answer] of acts)
    expect(JSON.parse((await over([...args, '--json'])).out)).toEqual(answer);

  await over(['schedules', 'put', 'hourly', 'build-report', '{"days":2}', '--every-ms', '3600000']);
  await over(['schedules', 'pause', 'hourly']);
  const { body } = await api.get('/v1/schedules/hourly', bearer);
  expect(body).toMatchObject({ everyMs: 3_600_000, args: { days: 2 }, paused: true });
  await over(['schedules', 'resume', 'hourly']);
  expect(JSON.parse((await over(['schedules', 'run', 'hourly', '--json'])).out).jobId).toMatch(/^\d+$/);
  expect(await over(['schedules', 'delete', 'hourly'])).toEqual({ code: 0, out: 'done\n', err: '' });
  expect(await over(['schedules', 'delete', 'hourly', '--json'])).toMatchObject({ code: 3 });

  await over(['limits', 'set', 'slow', '--rate-count', '1', '--rate-per-ms', '60000']);
  expect((await api.get('/v1/limits/slow', bearer)).body.rate).toMatchObject({
    count: 1,
    perMs: 60_000,
  });
  expect(await over(['limits', 'delete', 'slow'])).toEqual({ code: 0, out: 'done\n', err: '' });
  expect((await api.get('/v1/limits/slow', bearer)).status).toBe(404);
});

test('what is done on the servers themselves is noted with the person who did it', async () => {
  await runWarren(['queues', 'pause', 'reports'], onServers);
  await over(['queues', 'resume', 'reports']);
  const { entries } = (await api.get('/v1/audit?act=queues&target=reports&limit=2', bearer)).body;
  expect(entries).toMatchObject([
    { act: 'queues.resume', who: 'API_TOKEN', from: '127.0.0.1' },
    { act: 'queues.pause', who: person, from: null },
  ]);
});

test('every other command only looks, or has a record of what it does', () => {
  const program = new Command();
  addOwnCommands(program, createTerminal());
  const requests = new Set(apiCommands.map(({ name }) => name.split(' ')[0]));
  const others = program.commands.map((command) => command.name()).filter((name) => !requests.has(name));
  // top only looks; the doctor's --fix, rebuild and search-index are in the audit; the jobs of bench are its record
  expect(others.sort()).toEqual(['bench', 'doctor', 'rebuild', 'search-index', 'top']);
});

describe('people see', () => {
  test('tables, without colours where there is no terminal', async () => {
    await enqueue('--delay-ms', '3600000');
    const { out } = await over(['jobs', 'list', '--limit', '1']);
    const [head, row, more] = out.split('\n');
    expect(head).toMatch(/^ *ID {2,}TYPE {2,}QUEUE {2,}STATE /);
    expect(row).toMatch(/^ *\d+ +process-order +default +scheduled +0 +\d+ .*\{"orderId":"7"\}$/);
    expect(more).toMatch(/^more: --cursor \d+$/);
    expect((await over(['limits', 'list'])).out).toMatch(/^no limits|^NAME /);
    expect((await over(['dead-letters', 'list'])).out).toBe('no dead letters\n');
  });

  test('the members of one thing, and nothing that steers their terminal', async () => {
    const steering = '\u001b]0;owned\u0007\u009b31m';
    const id = await enqueue('--delay-ms', '3600000', '--group', steering);
    const { out } = await over(['jobs', 'show', id]);
    expect(out).toMatch(new RegExp(`^id +${id}$`, 'm'));
    expect(out).toContain(String.raw`\u001b]0;owned\u0007`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});

describe('it ends with', () => {
  const nowhere = { WARREN_URL: 'http://127.0.0.1:2', WARREN_TOKEN: token };
  test.each<[number, string, string[], () => Record<string, string>, RegExp]>([
    [2, 'an argument that is missing', ['jobs', 'show'], () => overHttp, /missing required argument 'id'/],
    [2, 'an option that is no number', ['jobs', 'list', '--limit', 'all'], () => overHttp, /It is no number/],
    [2, 'a type that is not known', ['jobs', 'enqueue', 'dance', '{}'], () => overHttp, /no such job type/],
    [
      2,
      'arguments that are wrong',
      ['jobs', 'enqueue', 'process-order', '{}'],
      () => overHttp,
      /\/args\/orderId/,
    ],
    [3, 'a worker that is not there', ['workers', 'drain', '77'], () => overHttp, /no such worker|worker/],
    [3, 'a queue that is not there', ['queues', 'pause', 'none'], () => overHttp, /no such queue/],
    [
      5,
      'a wrong token',
      ['queues', 'list'],
      () => ({ ...overHttp, WARREN_TOKEN: 'wrong-one' }),
      /^the token is wrong/,
    ],
    [
      5,
      'a role that does not suffice',
      ['queues', 'pause', 'default'],
      () => ({ ...overHttp, WARREN_TOKEN: viewerToken }),
      /operator/,
    ],
    [6, 'an API that is away', ['queues', 'list'], () => nowhere, /^nothing answers at 127\.0\.0\.1:2: /],
    [1, 'nothing to ask', ['queues', 'list'], () => ({}), /WARREN_URL nor DATABASE_URL/],
    [
      1,
      'a URL with a user',
      ['queues', 'list'],
      () => ({ WARREN_URL: 'http://me:secret@127.0.0.1:1' }),
      /WARREN_TOKEN/,
    ],
  ])('%i for %s', async (code, _, args, environment, reason) => {
    const ended = await runWarren(args, environment());
    expect(ended).toMatchObject({ code, err: expect.stringMatching(reason) });
    expect(ended.out + ended.err).not.toMatch(/the-token-of|wrong-one|secret/);
  });

  test('4 for an act that the state forbids', async () => {
    const id = await enqueue();
    await over(['jobs', 'cancel', id]);
    expect(await over(['jobs', 'cancel', id])).toMatchObject({ code: 4, out: '' });
  });
});

test('tail writes a line for each event and ends when it is told to', async () => {
  for (const environment of [overHttp, onServers]) {
    const lines: string[] = [];
    const terminal = createWatchedTerminal((line, stop) => {
      lines.push(line);
      if (lines.length === 1) void enqueue('--delay-ms', '3600000');
      if (lines.length === 2) stop();
    });
    const args = ['tail', '--type', 'process-order', '--kind', 'job.enqueued', '--json'];
    expect(await runWarren(args, environment, { terminal })).toMatchObject({ code: 0, err: '' });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { kind: 'ready' },
      expect.objectContaining({ kind: 'job.enqueued', type: 'process-order', state: 'scheduled' }),
    ]);
  }
});

test('--watch looks again until it is told to stop', async () => {
  let looks = 0;
  const terminal = createWatchedTerminal((_, stop) => {
    looks += 1;
    if (looks === 3) stop();
  });
  const { code } = await runWarren(['queues', 'list', '--watch', '0.1', '--json'], overHttp, { terminal });
  expect({ code, looks }).toEqual({ code: 0, looks: 3 });
});

test('top shows queues and workers again and again, without a trace on a terminal that it has left', async () => {
  let screen = '';
  const terminal = createWatchedTerminal((text, stop) => {
    screen += text;
    if (screen.split('NAME').length > 3) stop();
  });
  Object.assign(terminal.out, { isTTY: true, columns: 160, rows: 50 });
  const { code } = await runWarren(['top', '--every', '0.1'], overHttp, { terminal, add: addOwnCommands });
  expect(code).toBe(0);
  expect(screen).toMatch(/waiting \d+ +running 0 .*ended \d+\/s/);
  for (const queue of ['critical', 'default', 'webhooks', 'reports']) expect(screen).toContain(queue);
  expect(screen.startsWith('\u001b[?1049h')).toBe(true);
  expect(screen.endsWith('\u001b[?1049l')).toBe(true);
  expect(screen).not.toContain('\u001b[2J'); // a screen that is emptied first flickers
});

test('bench runs its jobs on the servers, and rebuild has waiting jobs published again', async () => {
  const ran = await runWarren(['bench', '--jobs', '50', '--json'], onWorker, { add: addOwnCommands });
  expect(JSON.parse(ran.out)).toMatchObject({ jobs: 50, ranPerSecond: expect.any(Number) });
  const rebuilt = await runWarren(['rebuild', '--json'], onServers, { add: addOwnCommands });
  expect(JSON.parse(rebuilt.out)).toEqual({ republished: expect.any(Number) });
  const [noted] = (await api.get('/v1/audit?act=jobs.republish', bearer)).body.entries;
  expect(noted).toMatchObject({ who: person, outcome: 'done' });
  expect(await runWarren(['rebuild'], asOwner, { add: addOwnCommands })).toMatchObject({ code: 0 });
  // A worker may note nothing in the audit: what cannot be noted is not done.
  const refused = await runWarren(['rebuild'], onWorker, { add: addOwnCommands });
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('permission denied') });
  expect(await runWarren(['bench', '--jobs', 'many'], onWorker, { add: addOwnCommands })).toMatchObject({
    code: 2,
  });
});
