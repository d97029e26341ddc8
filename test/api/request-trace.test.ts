// x-request-id and traceparent, as the API takes, answers and tells them. Nothing is behind the app: what is let through ends in 503.
import { expect, test } from 'vitest';
import { AccessTokens } from '../../src/api/access/access-tokens.ts';
import { createStartingApp } from '../../src/api/app.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { createOfflineApp } from '../support/api.ts';
import { listen } from '../support/events.ts';

const events = new Events();
const app = createOfflineApp({ events });
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function answeredId(path: string, headers: Record<string, string>): Promise<string | null> {
  return (await app.request(path, { headers })).headers.get('x-request-id');
}

test.each(['/livez', '/metrics', '/nope', '/v1/jobs/1', '/api/test/abc'])(
  'the answer to %s has the id of the request',
  async (path) => {
    expect(await answeredId(path, { 'x-request-id': 'r-1' })).toBe('r-1');
  },
);

test.each([
  ['empty', ''],
  ['too long', 'x'.repeat(129)],
  ['not ASCII', 'r\u00e9sum\u00e9'],
])('an id that is %s is replaced by a new one', async (_what, sent) => {
  expect(await answeredId('/livez', { 'x-request-id': sent })).toMatch(uuid);
});

test('a request without an id gets one with a problem, each another, and none otherwise', async () => {
  const [first, second] = [await answeredId('/nope', {}), await answeredId('/nope', { traceparent })];
  expect(first).toMatch(uuid);
  expect(second).toMatch(uuid);
  expect(second).not.toBe(first);
  expect(await answeredId('/livez', {})).toBeNull();
  expect(await answeredId('/livez', { traceparent })).toBeNull();
});

test('a request that ends in a 503 is told of with its trace', async () => {
  using unavailable = listen(events, 'request.unavailable');
  const headers = { 'x-request-id': 'r-2', traceparent };
  await app.request('/v1/jobs/1', { headers });
  await app.request('/v1/jobs/1', { headers: { traceparent: 'malformed' } });
  const starting = createStartingApp({
    events,
    check: async () => ({ postgres: { ok: true }, rabbitmq: { ok: true } }),
  });
  const answer = await starting.request('/v1/jobs/1');
  const [sent, made, atStart] = unavailable.all;
  expect(sent).toMatchObject({ requestId: 'r-2', traceparent });
  expect(made).toMatchObject({ requestId: expect.stringMatching(uuid) });
  expect(made?.traceparent).toBeUndefined();
  expect(atStart).toMatchObject({ code: 'starting', requestId: answer.headers.get('x-request-id') });
});

test('a fault of ours is told of under the id that the answer has', async () => {
  using failed = listen(events, 'request.failed');
  const failing = createOfflineApp({
    events,
    metrics: { render: () => Promise.reject(new Error('unforeseen')), contentType: 'text/plain' },
  });
  const answer = await failing.request('/metrics', { headers: { traceparent } });
  expect(answer.status).toBe(500);
  const requestId = answer.headers.get('x-request-id');
  expect(requestId).toMatch(uuid);
  expect(failed.all).toMatchObject([{ method: 'GET', path: '/metrics', requestId, traceparent }]);
});

test('what somebody does and what is refused is told of with the trace', async () => {
  const locked = createOfflineApp({ events, tokens: new AccessTokens({ apiToken: 'secret' }) });
  using acted = listen(events, 'access.acted');
  using refused = listen(events, 'access.refused');
  const post = (headers: Record<string, string>) =>
    locked.request('/v1/queues/default/pause', {
      method: 'POST',
      headers: { 'x-request-id': 'r-3', ...headers },
    });
  await post({ authorization: 'Bearer secret', traceparent });
  await post({ authorization: 'Bearer wrong' });
  expect(acted.all).toMatchObject([{ path: '/v1/queues/default/pause', requestId: 'r-3', traceparent }]);
  expect(refused.all).toMatchObject([{ reason: 'a wrong token', requestId: 'r-3' }]);
});
