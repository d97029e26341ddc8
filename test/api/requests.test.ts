// Routing, and what the routes without a body refuse by themselves. Nothing is behind the app: what is let through ends in 503.
import { expect, test } from 'vitest';
import { createOfflineApp, toAnswer } from '../support/api.ts';

const app = createOfflineApp();

async function request(method: string, path: string) {
  return await toAnswer(await app.request(path, { method }));
}

test.each([
  ['GET', '/nope', 404],
  ['GET', '/v1/jobs/', 404],
  ['GET', '//v1/jobs', 404],
  ['GET', '/x/livez', 404],
  ['GET', '/v1/jobs/abc', 404],
  ['GET', '/v1/jobs/0', 404],
  ['GET', '/v1/jobs/017', 404],
  ['GET', '/v1/jobs/9223372036854775808', 404],
  ['GET', '/v1/jobs/%00', 404],
  ['GET', '/v1/jobs/%ff', 404],
  ['GET', '/v1/jobs/1%3B%20drop%20table', 404],
  ['POST', '/v1/jobs/-1/cancel', 404],
  ['POST', '/v1/jobs/1e3/retry', 404],
  ['POST', '/v1/queues/amq.x/pause', 404],
  ['POST', '/v1/queues/constructor/resume', 404],
  ['GET', '/api/test/abc', 400],
  ['GET', '/api/test/-1', 400],
  ['POST', '/api/test/1.5', 400],
  ['GET', '/api/test/%31%00', 400],
  ['GET', '/api/test/0', 404],
  ['GET', `/api/test/${'9'.repeat(400)}`, 404],
  ['GET', '/api/test/1', 503],
  ['POST', '/api/test/1', 503],
  ['GET', '/v1/jobs/1', 503],
])('%s %s is answered with %i as a problem', async (method, path, status) => {
  const answer = await request(method, path);
  expect(answer).toMatchObject({ status, body: { status, type: 'about:blank', code: expect.any(String) } });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
});

test.each([
  ['DELETE', '/v1/jobs', 'GET, HEAD, POST'],
  ['PUT', '/v1/jobs/17', 'DELETE, GET, HEAD, PATCH'],
  ['GET', '/v1/jobs/17/cancel', 'POST'],
  ['POST', '/livez', 'GET, HEAD'],
  ['OPTIONS', '/v1/queues', 'GET, HEAD'],
])('%s %s is not allowed, and the answer says what is', async (method, path, allow) => {
  const answer = await request(method, path);
  expect(answer.status).toBe(405);
  expect(answer.headers.get('allow')).toBe(allow);
});

test.each([
  ['limit=0', '/limit'],
  ['limit=201', '/limit'],
  ['limit=1e9', '/limit'],
  ['limit=', '/limit'],
  ['limit=1&limit=2', '/limit'],
  ['state=done', '/state'],
  ['queue=No+pe', '/queue'],
  ['type=%00', '/type'],
  ['type=', '/type'],
  ['cursor=abc', '/cursor'],
  ['cursor=', '/cursor'],
  ['cursor=99999999999999999999', '/cursor'],
  ['sort=id', '/sort'],
  ['__proto__=1', '/__proto__'],
])('the list refuses ?%s', async (query, pointer) => {
  const answer = await request('GET', `/v1/jobs?${query}`);
  expect(answer.status).toBe(422);
  expect(answer.body.errors[0].pointer).toBe(pointer);
});

test('a limit that does not fit is told its bounds', async () => {
  const { body } = await request('GET', '/v1/jobs?limit=1000');
  expect(body.errors).toEqual([{ detail: 'must be a whole number from 1 to 200', pointer: '/limit' }]);
});

test('the list takes every filter at once', async () => {
  const query = 'state=available&type=process-order&queue=default&limit=200&cursor=17';
  expect((await request('GET', `/v1/jobs?${query}`)).status).toBe(503);
});

test('what nobody foresaw is a 500 that tells nothing', async () => {
  const broken = createOfflineApp({
    metrics: { render: () => Promise.reject(new Error('the secret')), contentType: 'text/plain' },
  });
  const answer = await toAnswer(await broken.request('/metrics'));
  expect(answer.status).toBe(500);
  expect(JSON.stringify(answer.body)).not.toContain('secret');
});

test('no answer carries CORS headers', async () => {
  const response = await app.request('/livez', { headers: { origin: 'https://evil.example' } });
  expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test('a process lives whatever is away, and is not ready without Postgres', async () => {
  expect(await request('GET', '/livez')).toMatchObject({ status: 200, body: { status: 'ok' } });
  const { status, body } = await request('GET', '/readyz');
  expect(status).toBe(503);
  expect(body).toMatchObject({
    status: 'unavailable',
    checks: { postgres: { ok: false }, rabbitmq: { ok: false } },
  });
});

test('where no broker is configured, none is missed', async () => {
  const { body } = await toAnswer(await createOfflineApp({}, { amqpUrl: 'none' }).request('/readyz'));
  expect(body.checks.rabbitmq).toEqual({ ok: true, detail: 'none is configured' });
});
