import { request } from 'node:http';
import { expect, test } from 'vitest';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import type { Answer } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { onChannel, readyCount } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const order = { type: 'process-order', args: { orderId: '17' } };

async function timed(answer: Promise<Answer>): Promise<Answer & { tookMs: number }> {
  const startedAt = performance.now();
  return { ...(await answer), tookMs: performance.now() - startedAt };
}

/** In time: the quickest of them, as the machine may stand still during others. */
function expectUnavailable(answers: readonly (Answer & { tookMs: number })[]): void {
  for (const answer of answers) expectProblem(answer);
  expect(Math.min(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(2_000);
}

function expectProblem({ status, headers, body }: Answer): void {
  expect(status).toBe(503);
  expect(headers.get('retry-after')).toBe('1');
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body.detail).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
}

test('without Postgres at the start it listens, lives and answers 503, and stops when it is told to', async () => {
  await using api = await startApi({ until: 'listening' });
  const starting = api.api.start();
  expect(await api.get('/livez')).toMatchObject({ status: 200 });
  expect(await api.get('/readyz')).toMatchObject({ status: 503, body: { status: 'unavailable' } });
  expectProblem(await api.post('/v1/jobs', order));
  await api.api.stop();
  await starting; // which would go on for ever
});

test('a database that goes away answers 503 in time, everywhere', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  expect((await api.post('/v1/jobs', order)).status).toBe(202);
  await database[Symbol.asyncDispose]();
  const requests = [
    () => api.post('/v1/jobs', order),
    () => api.post('/v1/jobs/batch', { jobs: [order] }),
    () => api.get('/api/test/1'),
    () => api.get('/v1/jobs'),
    () => api.get('/v1/jobs/1'),
    () => api.get('/v1/queues'),
    () => api.post('/v1/jobs/1/cancel'),
    () => api.post('/v1/jobs/1/retry'),
    () => api.post('/v1/queues/default/pause'),
  ];
  const answers = [];
  for (const send of requests) answers.push(await timed(send()));
  expectUnavailable(answers);
  expect((await api.get('/livez')).status).toBe(200);
  expect((await api.get('/metrics')).status).toBe(200);
});

test.each([
  ['the first requests', []],
  ['later ones', [order]],
])('a database that falls silent answers 503 in time, to many at once too: %s', async (_which, before) => {
  await using database = await createDatabase();
  await using proxy = await startFaultyProxy(database.url);
  await using api = await startApi({ databaseUrl: proxy.url });
  for (const job of before) expect((await api.post('/v1/jobs', job)).status).toBe(202);
  proxy.stall();
  const sends = [
    () => api.post('/v1/jobs', order),
    () => api.post('/v1/jobs/batch', { jobs: [order] }),
    () => api.post('/v1/batches', { jobs: [order] }),
    () => api.get('/api/test/1'),
    () => api.get('/v1/queues'),
    () => api.get('/v1/jobs/1'),
  ];
  const answers = sends.map((send) => Array.from({ length: 10 }, () => timed(send())));
  for (const ofOne of answers) expectUnavailable(await Promise.all(ofOne));
});

test('without RabbitMQ jobs are committed, and the API is degraded and ready', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  expect((await api.post('/v1/jobs', order)).status).toBe(202);
  const { status, body } = await api.get('/readyz');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'degraded',
    checks: { postgres: { ok: true }, rabbitmq: { ok: false } },
  });
});

test('it refuses a database whose schema is older', async () => {
  await using database = await createDatabase({ migrated: false });
  await using api = await startApi({ databaseUrl: database.url, until: 'listening' });
  await expect(api.api.start()).rejects.toThrow(Misconfigured);
  expect((await api.post('/v1/jobs', order)).status).toBe(503);
});

test('it refuses a broker that holds a queue of ours with other properties', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await onChannel(vhost, (channel) => channel.assertQueue('warren.default', { durable: true }));
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url, until: 'serving' });
  await expect(api.api.failed).rejects.toThrow(/warren\.default/);
});

test('it refuses a port that is taken', async () => {
  await using first = await startApi({ until: 'listening' });
  const port = new URL(first.url).port;
  await expect(startApi({ until: 'listening', environment: { PORT: port } })).rejects.toThrow(
    /cannot listen on 127\.0\.0\.1/,
  );
});

test('stopping lets the requests under way end, and closes idle connections', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
  await api.get('/livez'); // leaves an idle keep-alive connection behind
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const body = JSON.stringify(order);
  const slow = request(`${api.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  });
  slow.on('response', (response) => resolve(response.resume().statusCode));
  slow.on('error', reject);
  slow.write(body.slice(0, 10));
  await eventually(
    () => api.get('/readyz'),
    ({ body: { status } }) => status === 'ok',
  );
  const startedAt = performance.now();
  const stopping = api.api.stop();
  slow.end(body.slice(10));
  expect(await promise).toBe(202);
  await stopping;
  expect(performance.now() - startedAt).toBeLessThan(9_000); // after ten seconds whatever is open is closed
  await expect(api.get('/livez')).rejects.toThrow();
  expect(await readyCount(vhost, 'warren.default')).toBe(1); // stopping has waited for the confirm
});
