// What POST /v1/jobs and /v1/jobs/batch refuse by themselves. The app has no servers behind it: a request that is let through ends in 503.
import { expect, test } from 'vitest';
import { createOfflineApp, toAnswer } from '../support/api.ts';

const app = createOfflineApp();
const good = { type: 'process-order', args: { orderId: '17' } };
const json: Record<string, string> = { 'content-type': 'application/json' };

async function send(body: string | Uint8Array | null, { headers = json, path = '/v1/jobs' } = {}) {
  return await toAnswer(await app.request(path, { method: 'POST', headers, body }));
}

async function post(body: unknown, path = '/v1/jobs', headers: Record<string, string> = {}) {
  return await send(JSON.stringify(body), { path, headers: { ...json, ...headers } });
}

test('a good request passes every check and fails at Postgres, which is away', async () => {
  const answer = await post(good);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(answer.body).toMatchObject({ type: 'about:blank', status: 503, title: 'Service Unavailable' });
  expect(JSON.stringify(answer.body)).not.toContain('127.0.0.1');
  expect((await post({ jobs: [good] }, '/v1/jobs/batch')).status).toBe(503);
});

test.each([
  ['an unknown member', { ...good, state: 'completed' }, '/state'],
  ['an id', { ...good, id: '1' }, '/id'],
  ['no type', { args: {} }, '/type'],
  ['a type that is no text', { ...good, type: 7 }, '/type'],
  ['an unregistered type', { ...good, type: 'constructor' }, '/type'],
  ['arguments that do not fit', { ...good, args: { orderId: 'x' } }, '/args/orderId'],
  ['no arguments', { type: 'process-order' }, '/args'],
  ['an unknown argument', { ...good, args: { orderId: '1', 'a/b': 1 } }, '/args/a~1b'],
  ['an unknown queue', { ...good, queue: 'amq.x' }, '/queue'],
  ['a time without an offset', { ...good, runAt: '2026-01-01T00:00:00' }, '/runAt'],
  ['a day that does not exist', { ...good, runAt: '2026-02-30T00:00:00Z' }, '/runAt'],
  ['a time long ago', { ...good, runAt: '1969-12-31T23:59:59Z' }, '/runAt'],
  ['a time too late', { ...good, runAt: '2501-01-01T00:00:00Z' }, '/runAt'],
  ['a negative delay', { ...good, delayMs: -1 }, '/delayMs'],
  ['a fraction of a millisecond', { ...good, delayMs: 1.5 }, '/delayMs'],
  ['more than ten years', { ...good, delayMs: 315_360_000_001 }, '/delayMs'],
  ['time and delay', { ...good, runAt: '2026-01-01T00:00:00Z', delayMs: 1 }, '/delayMs'],
  ['no attempt', { ...good, maxAttempts: 0 }, '/maxAttempts'],
  ['too many attempts', { ...good, maxAttempts: 101 }, '/maxAttempts'],
  ['an empty unique key', { ...good, uniqueKey: '' }, '/uniqueKey'],
  ['a long unique key', { ...good, uniqueKey: 'k'.repeat(201) }, '/uniqueKey'],
  ['U+0000', { ...good, uniqueKey: 'a\u0000' }, '/uniqueKey'],
  ['null for an option', { ...good, queue: null }, '/queue'],
  ['a list', [good], ''],
  ['null', null, ''],
])('%s is refused with a pointer to it', async (_what, body, pointer) => {
  const answer = await post(body);
  expect(answer.status).toBe(422);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
});

test('the answer to an unknown type names the known ones', async () => {
  const { body } = await post({ ...good, type: 'nope' });
  expect(body.errors[0].detail).toContain('process-order');
});

test.each([
  ['2026-01-01T00:00:00Z'],
  ['2026-01-01T00:00:00.123456+05:30'],
  ['2026-01-01T00:00:00+23:59'],
  ['1970-01-01T00:00:00Z'],
  ['2500-12-31T23:59:59Z'],
])('the time %s is taken', async (runAt) => {
  expect((await post({ ...good, runAt })).status).toBe(503);
});

test('a number that JavaScript has changed is refused, not stored wrong', async () => {
  const answer = await send('{"type":"process-order","args":{"orderId":9007199254740993}}');
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0]).toMatchObject({ pointer: '/args/orderId' });
});

test.each([
  ['nothing', null, json, 400],
  ['nothing and no type', null, {}, 400],
  ['white space', ' ', json, 400],
  ['half of it', '{"type":', json, 400],
  ['NaN', '{"type":NaN}', json, 400],
  ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), json, 400],
  ['a form', 'type=x', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['text', JSON.stringify(good), { 'content-type': 'text/plain' }, 415],
  ['another charset', JSON.stringify(good), { 'content-type': 'application/json; charset=latin1' }, 415],
  ['a gzip', new Uint8Array([0x1f, 0x8b]), { ...json, 'content-encoding': 'gzip' }, 415],
  ['a declared length above the limit', '{}', { ...json, 'content-length': '1048577' }, 413],
  ['a body above the limit', ' '.repeat(1_048_577), json, 413],
])('%s as a body is a client error', async (_what, body, headers, status) => {
  const answer = await send(body, { headers });
  expect(answer).toMatchObject({ status, body: { status, type: 'about:blank' } });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
});

test.each([
  'application/json; charset=UTF-8',
  'application/json ; charset=utf-8',
  'application/vnd.acme.v1+json',
])('a body is let through as %s in the identity encoding', async (type) => {
  const headers = { 'content-type': type, 'content-encoding': 'identity' };
  expect((await send(JSON.stringify(good), { headers })).status).toBe(503);
});

test('a body as large as the limit is read', async () => {
  const padding = ' '.repeat(1_048_576 - JSON.stringify(good).length);
  expect((await send(JSON.stringify(good) + padding)).status).toBe(503);
});

test.each([10_000, 500_000])('a body that nests %i deep is refused', async (depth) => {
  const answer = await send(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  expect(answer.status).toBe(422);
});

test('arguments may nest 64 deep in a batch as they may alone', async () => {
  const args = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
  const bodies = (depth: number) => [
    post({ type: 'process-order', args: args(depth) }),
    post({ jobs: [{ type: 'process-order', args: args(depth) }] }, '/v1/jobs/batch'),
  ];
  for (const { body } of await Promise.all(bodies(64))) expect(body.code).not.toBe('not_storable');
  for (const { body } of await Promise.all(bodies(65))) expect(body.code).toBe('not_storable');
});

test.each(
  ['/v1/jobs', '/v1/jobs/batch', '/v1/batches'].flatMap((path) =>
    ['', 'a\u00e4', 'k'.repeat(201)].map((key) => [path, key] as const),
  ),
)('%s refuses the Idempotency-Key %j', async (path, key) => {
  const body = path === '/v1/jobs' ? good : { jobs: [good] };
  const answer = await post(body, path, { 'idempotency-key': key });
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].pointer).toBe('/Idempotency-Key');
});

test('a batch tells where each of its faults is, twenty at most', async () => {
  const jobs = [good, { ...good, args: {} }, { ...good, type: 'nope' }, good];
  const { status, body } = await post({ jobs }, '/v1/jobs/batch');
  expect(status).toBe(422);
  expect(body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([
    '/jobs/1/args/orderId',
    '/jobs/2/type',
  ]);
  const many = await post({ jobs: Array(100).fill({ ...good, type: 'nope' }) }, '/v1/jobs/batch');
  expect(many.body.errors).toHaveLength(20);
});

test.each([
  ['no jobs', { jobs: [] }, '/jobs'],
  ['too many', { jobs: Array(10_001).fill(good) }, '/jobs'],
  ['an unknown member', { jobs: [good], atomic: true }, '/atomic'],
  ['a job of the wrong shape', { jobs: [good, { ...good, queue: 'x' }] }, '/jobs/1/queue'],
])('a batch with %s is refused', async (_what, body, pointer) => {
  const answer = await post(body, '/v1/jobs/batch');
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].pointer).toBe(pointer);
});

test('nothing that was sent reaches the prototype of objects', async () => {
  await send('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
