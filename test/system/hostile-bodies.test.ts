// Bodies and lists that are made to cost as much as they can, sent to the real program with the heap that the manifests give it. It refuses
// them or does what they ask, and answers its liveness probe meanwhile; it never dies of them.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdministrator } from '../support/administrator.ts';
import { HANG_MS } from '../support/eventually.ts';
import { manifestNodeOptions, manifestSetting } from '../support/manifest-environment.ts';
import type { Program } from '../support/program.ts';
import { startProgram } from '../support/program.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const MEBIBYTE = 1_048_576;
/** What a probe took is told beside the result of each test; one that takes longer than `HANG_MS` hangs. */
const PROBE_EVERY_MS = 5;

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let program: Program;
let url: string;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  database = stack.use(await createDatabase());
  program = stack.use(
    await startProgram('api', {
      DATABASE_URL: database.url,
      AMQP_URL: 'none',
      PORT: '0',
      NODE_OPTIONS: manifestNodeOptions('api'),
      API_BODY_BYTES: manifestSetting('API_BODY_BYTES'),
    }),
  );
  const line = await program.waitForLog('api serving', { timeoutMs: HANG_MS });
  url = String(line['url']);
});

afterAll(async () => {
  agent.destroy();
  await stack.disposeAsync();
});

interface Body {
  path: string;
  body: Buffer;
}

interface Answered {
  status: number;
  retryAfter: string | undefined;
  text: string;
}

/** The answer, also where it comes before all was sent. */
async function send(path: string, body?: Buffer): Promise<Answered> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers =
    body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.byteLength };
  const sent = request(url + path, { method: body === undefined ? 'GET' : 'POST', headers });
  sent.on('response', resolve);
  sent.on('error', reject);
  sent.end(body);
  const response = await promise;
  sent.on('error', () => {}); // the rest of the body is not wanted
  const chunks: Buffer[] = [];
  response.on('data', (chunk) => chunks.push(chunk));
  await once(response, 'close');
  sent.destroy();
  const retryAfter = response.headers['retry-after'];
  return { status: response.statusCode ?? 0, retryAfter, text: Buffer.concat(chunks).toString() };
}

async function probe(): Promise<number> {
  const startedAt = performance.now();
  const sent = request(`${url}/livez`, { agent });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  expect(response.statusCode).toBe(200);
  return performance.now() - startedAt;
}

/** Asks the liveness probe over and over while `work` goes on. The slowest answer, in milliseconds. */
async function probing<T>(work: () => Promise<T>): Promise<{ result: T; slowestMs: number }> {
  let isOver = false;
  let slowestMs = 0;
  const working = work().finally(() => {
    isOver = true;
  });
  while (!isOver) {
    slowestMs = Math.max(slowestMs, await probe());
    await delay(PROBE_EVERY_MS);
  }
  return { result: await working, slowestMs };
}

const fill = (element: string, bytes: number) =>
  Array(Math.floor(bytes / (element.length + 1)))
    .fill(element)
    .join();
const zeros = (bytes: number) => `[${fill('0', bytes)}]`;
const job = (args: string) => `{"type":"process-order","args":${args}}`;
const webhook = (args: string) => `{"type":"deliver-webhook","args":{"url":"https://example.com/",${args}}}`;
const batch = (jobs: string): Body => ({ path: '/v1/jobs/batch', body: Buffer.from(`{"jobs":[${jobs}]}`) });
const alone = (text: string): Body => ({ path: '/v1/jobs', body: Buffer.from(text) });
const members = (count: number, value: string) =>
  `{${Array.from({ length: count }, (_, n) => `"k${n.toString(36)}":${value}`).join()}}`;

const bodies: Record<string, Body> = {
  'a batch of zeros, 6 MiB': batch(fill('0', 6 * MEBIBYTE)),
  'a batch of zeros, 4 MiB': batch(fill('0', 4 * MEBIBYTE)),
  'a batch of 10 000 zeros': batch(fill('0', 20_000)),
  'zeros in the args of a job of a batch, 12 MiB': batch(job(zeros(12 * MEBIBYTE))),
  'zeros in the args of a job of a batch, 7 MiB': batch(job(zeros(7 * MEBIBYTE))),
  'zeros in the args of a job, 1 MiB': alone(job(zeros(MEBIBYTE - 100))),
  'empty objects in the args of many jobs': batch(fill(job(`[${fill('{}', 14_500)}]`), 8 * MEBIBYTE - 100)),
  'objects with names of their own in the args of many jobs': batch(
    fill(job(`[${Array.from({ length: 4_000 }, (_, n) => `{"${n.toString(36)}":0}`).join()}]`), 5 * MEBIBYTE),
  ),
  'as many values as a job may have, none of which its schema allows': alone(
    webhook(`"headers":${members(9_900, '0')}`),
  ),
  'as many unknown members as a job may have': alone(members(9_900, '0')),
  'a frame of 7 MiB': {
    path: '/v1/jobs/batch',
    body: Buffer.from(`{"jobs":[],"x":${members(400_000, '0')}}`),
  },
  'lists within lists, 7 MiB': { path: '/v1/jobs/batch', body: Buffer.from('['.repeat(7 * MEBIBYTE)) },
  'quotes and backslashes, 7 MiB': batch(`"${'\\"'.repeat(3.5 * MEBIBYTE)}"`),
};

test.for(Object.entries(bodies))(
  '%s: a client error, and the process goes on',
  async ([_what, { path, body }], { annotate }) => {
    const { result, slowestMs } = await probing(() => send(path, body));
    await annotate(`slowest probe: ${Math.round(slowestMs)} ms`);
    expect(result.status).toBeGreaterThanOrEqual(400);
    expect(result.status).toBeLessThan(500);
    expect(slowestMs).toBeLessThan(HANG_MS);
  },
);

test('many of them at once are client errors, or are told to come again', async ({ annotate }) => {
  const all = Object.values(bodies);
  const { result, slowestMs } = await probing(() =>
    Promise.all([...all, ...all].map(({ path, body }) => send(path, body))),
  );
  await annotate(`slowest probe: ${Math.round(slowestMs)} ms`);
  for (const { status, retryAfter } of result) {
    expect([400, 413, 422, 503]).toContain(status);
    if (status === 503) expect(retryAfter).toBe('1');
  }
  expect(slowestMs).toBeLessThan(HANG_MS);
});

test.for([
  [
    'batches',
    6,
    batch(
      Array(10_000)
        .fill(webhook(`"body":"${'ä'.repeat(370)}"`))
        .join(),
    ),
  ],
  ['jobs of objects', 60, alone(webhook(`"body":[${fill('{}', 14_500)}]`))],
  ['jobs of texts', 60, alone(webhook(`"body":"${'a\u20ac'.repeat(130_000)}"`))],
] as const)(
  'the largest %s that may be sent are committed one by one; of many at once some are told to come again',
  async ([_what, count, { path, body }], { annotate }) => {
    const one = await probing(() => send(path, body));
    expect(one.result.status).toBe(202);
    const many = await probing(() => Promise.all(Array.from({ length: count }, () => send(path, body))));
    const statuses = many.result.map(({ status }) => status);
    await annotate(
      `slowest probe: ${Math.round(one.slowestMs)} ms and ${Math.round(many.slowestMs)} ms; ${statuses}`,
    );
    for (const status of statuses) expect([202, 503]).toContain(status);
    expect(statuses).toContain(202);
    expect(Math.max(one.slowestMs, many.slowestMs)).toBeLessThan(HANG_MS);
  },
);

test('lists of jobs with a megabyte of arguments are answered, many at once', async ({ annotate }) => {
  await asAdministrator(database.url, async (sql) => {
    await sql`
      insert into warren.jobs (type, queue, args, state, max_attempts, run_at)
      select 'a', 'default', jsonb_build_object('text', text), 'completed', 1, now()
      from generate_series(1, 200) n, lateral (
        select case when n % 2 = 0 then repeat('a€', ${MEBIBYTE / 4})
          else (select string_agg(md5(part::text), '') from generate_series(1, ${MEBIBYTE / 32}) part) end as text
      ) as given`;
  });
  const { result, slowestMs } = await probing(() =>
    Promise.all(Array.from({ length: 20 }, () => send('/v1/jobs?limit=200'))),
  );
  await annotate(`slowest probe: ${Math.round(slowestMs)} ms`);
  for (const { status, text } of result) {
    expect(status).toBe(200);
    const { jobs } = JSON.parse(text);
    expect(jobs).toHaveLength(200);
    expect(jobs[0]).toMatchObject({ type: 'a', args: null, truncated: ['args'] });
  }
  expect(slowestMs).toBeLessThan(HANG_MS);
});

test('jobs with a megabyte of arguments are shown, or are told to be asked for again, many at once', async ({
  annotate,
}) => {
  const { text } = await send('/v1/jobs?limit=200&type=a');
  const ids: string[] = JSON.parse(text).jobs.map(({ id }: { id: string }) => id);
  const { result, slowestMs } = await probing(() => Promise.all(ids.map((id) => send(`/v1/jobs/${id}`))));
  await annotate(`slowest probe: ${Math.round(slowestMs)} ms`);
  for (const { status } of result) expect([200, 503]).toContain(status);
  expect(result.map(({ status }) => status)).toContain(200);
  expect(slowestMs).toBeLessThan(HANG_MS);
});

test('nothing is held of the bodies when they are answered', async () => {
  const { text } = await send('/metrics');
  expect(text).toContain('\nwarren_http_request_body_bytes 0\n');
});
