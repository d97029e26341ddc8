// Whatever is sent, the answer is a client error as a problem, and the API goes on.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { createDatabase } from '../support/servers.ts';

interface Garbage {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Sent without a Content-Length. */
  chunked?: boolean;
}

const MEBIBYTE = 1_048_576;
const job = (args: string) => `{"type":"process-order","args":${args}}`;
const batch = (jobs: string) => ({ path: '/v1/jobs/batch', body: `{"jobs":[${jobs}]}` });
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const manyMembers = (count: number) => `{${Array.from({ length: count }, (_, n) => `"k${n}":1`).join(',')}}`;

const garbage: Record<string, Garbage> = {
  'no body': {},
  'an empty body': { body: '' },
  'half of a body': { body: '{"type":"process-order","args"' },
  'no JSON': { body: 'type=process-order' },
  NaN: { body: job('{"orderId":NaN}') },
  'a trailing comma': { body: job('{"orderId":"1",}') },
  'a byte order mark twice': { body: '\ufeff\ufeff{}' },
  'bytes that are no UTF-8': { body: Buffer.from([0x7b, 0xff, 0xfe, 0x7d]) },
  'a number': { body: '7' },
  'a list': { body: '[]' },
  null: { body: 'null' },
  'wrong types': { body: '{"type":[],"args":{"orderId":"1"},"queue":{},"maxAttempts":"3"}' },
  'unknown members': { body: `{"type":"process-order","args":{"orderId":"1"},"state":"completed","id":"7"}` },
  __proto__: { body: '{"__proto__":{"polluted":1},"type":"process-order","args":{"orderId":"1"}}' },
  '__proto__ in args': { body: job('{"orderId":"1","__proto__":{"polluted":1}}') },
  'U+0000': { body: job('{"orderId":"\\u0000"}') },
  'U+0000 in a name': { body: job('{"orderId":"1","\\u0000":1}') },
  'U+0000 as the type': { body: '{"type":"\\u0000","args":{}}' },
  'a lone surrogate': { body: job('{"orderId":"\\ud800"}') },
  '2^53+1': { body: job('{"orderId":9007199254740993}') },
  '1e400': { body: job('{"orderId":1e400}') },
  'a bigint too large': { body: job('{"orderId":"9223372036854775808"}') },
  'depth 10 000': { body: job(nested(10_000)) },
  'depth 10 000, open': { body: '['.repeat(10_000) },
  'depth 500 000': { body: nested(500_000) },
  'a text of 10 MB': { body: job(`{"orderId":"${'9'.repeat(10 * MEBIBYTE)}"}`) },
  'a byte too much': { body: job('{"orderId":"1"}').padEnd(MEBIBYTE + 1) },
  'a byte too much, chunked': { body: job('{"orderId":"1"}').padEnd(MEBIBYTE + 1), chunked: true },
  '20 MB, chunked': { body: Buffer.alloc(20 * MEBIBYTE, 0x20), chunked: true },
  'a gzip': { body: Buffer.from([0x1f, 0x8b, 8, 0]), headers: { 'content-encoding': 'gzip' } },
  'a form': { body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  'many members': { body: job(manyMembers(50_000)) },
  'a time of nowhere': {
    body: '{"type":"process-order","args":{"orderId":"1"},"runAt":"2026-13-01T00:00:00Z"}',
  },
  'a year 9999': { body: '{"type":"process-order","args":{"orderId":"1"},"runAt":"9999-01-01T00:00:00Z"}' },
  'a long key': { body: job('{"orderId":"1"}'), headers: { 'idempotency-key': 'k'.repeat(201) } },
  'an empty batch': batch(''),
  'a batch with one bad job': batch(`${job('{"orderId":"1"}')},${job('{"orderId":"-1"}')}`),
  'a batch with U+0000': batch(`${job('{"orderId":"1"}')},${job('{"orderId":"\\u0000"}')}`),
  'a batch of 10 001': batch(Array(10_001).fill(job('{"orderId":"1"}')).join(',')),
  'a batch above 16 MiB': { path: '/v1/jobs/batch', body: Buffer.alloc(16 * MEBIBYTE + 1, 0x20) },
  'a batch that nests': batch(nested(10_000)),
  'limit=1e9': { method: 'GET', path: '/v1/jobs?limit=1e9' },
  'limit=-1': { method: 'GET', path: '/v1/jobs?limit=-1' },
  'SQL as a cursor': { method: 'GET', path: "/v1/jobs?cursor=1'%20or%20true--" },
  'U+0000 as a type': { method: 'GET', path: '/v1/jobs?type=%00' },
  'half of an escape': { method: 'GET', path: '/v1/jobs/%f' },
  'SQL as an id': { method: 'POST', path: '/v1/jobs/1;drop%20table%20warren.jobs/cancel' },
  'an id too large': { method: 'GET', path: '/v1/jobs/99999999999999999999' },
  'an order that is none': { method: 'POST', path: '/api/test/0x10' },
  'a queue that is none': { method: 'POST', path: '/v1/queues/%2e%2e%2fdefault/pause' },
  'a path that is none': { method: 'GET', path: '/v1/../../etc/passwd' },
  'a backslash': { method: 'GET', path: '/v1\\jobs' },
  'a method that is not allowed': { method: 'DELETE', path: '/v1/jobs' },
  'a method of nowhere': { method: 'PROPFIND', path: '/v1/jobs' },
  'a host that is none': { method: 'GET', path: '/livez', headers: { host: 'a b@c' } },
};

let api: RunningApi;
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const database = stack.use(await createDatabase());
  api = stack.use(await startApi({ databaseUrl: database.url }));
});
afterAll(() => stack.disposeAsync());

interface Outcome {
  status: number;
  type: string | undefined;
  text: string;
}

/** The answer, also where it comes before all was sent and the connection ends with it. */
async function send({
  path = '/v1/jobs',
  method = 'POST',
  headers,
  body,
  chunked = false,
}: Garbage): Promise<Outcome> {
  const { hostname, port } = new URL(api.url);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const length = chunked || body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const all = { 'content-type': 'application/json', ...length, ...headers };
  const sent = request({ hostname, port, path, method, headers: all, agent: false });
  sent.on('response', resolve);
  sent.on('error', reject);
  if (chunked && body !== undefined) {
    for (let at = 0; at < body.length; at += 65_536) sent.write(body.slice(at, at + 65_536));
  } else if (body !== undefined) sent.write(body);
  sent.end();
  const response = await promise;
  sent.on('error', () => {}); // the answer is here; what was still to be sent is not wanted
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  sent.destroy();
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'],
    text: Buffer.concat(chunks).toString(),
  };
}

function expectProblem({ status, type, text }: Outcome): void {
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(type).toBe('application/problem+json');
  expect(JSON.parse(text)).toMatchObject({ type: 'about:blank', status, title: expect.any(String) });
}

test.each(Object.entries(garbage))('%s is a client error', async (_what, sent) => {
  expectProblem(await send(sent));
});

test('all of it, over and over and at once, leaves no job, no 5xx and a living process', async () => {
  const light = Object.values(garbage).filter(({ body = '' }) => body.length < MEBIBYTE);
  const rounds = Array.from({ length: 10 }, () => light).flat();
  expect(rounds.length).toBeGreaterThan(300);
  for (let at = 0; at < rounds.length; at += 50) {
    const outcomes = await Promise.all(rounds.slice(at, at + 50).map((sent) => send(sent)));
    for (const outcome of outcomes) expectProblem(outcome);
  }
  expect((await api.get('/v1/jobs')).body).toEqual({ jobs: [], nextCursor: null });
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect((await api.get('/readyz')).status).toBe(200);
});

test.each([
  ['no HTTP', 'HELLO\r\n\r\n', 400],
  [
    'two lengths',
    'POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
  ],
  ['two hosts', 'GET /livez HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n', 400],
  ['the same host twice', 'GET /livez HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n', 400],
  ['no host', 'GET /livez HTTP/1.1\r\n\r\n', 400],
  [
    'a length twice',
    'POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
    400,
  ],
  ['a length with a sign', 'POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ncontent-length: +1\r\n\r\n', 400],
  ['a folded header', 'GET /livez HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n', 400],
  ['white space before a colon', 'GET /livez HTTP/1.1\r\nhost : a\r\n\r\n', 400],
  [
    'an unknown transfer encoding',
    'POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: xchunked\r\n\r\n',
    400,
  ],
  ['headers of 64 KB', `GET /livez HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(65_536)}\r\n\r\n`, 431],
])('%s on the socket is answered with a problem', async (_what, bytes, status) => {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {}); // the server may cut it off while it still sends
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'close');
  const text = Buffer.concat(chunks).toString();
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(text).toContain('application/problem+json');
});
