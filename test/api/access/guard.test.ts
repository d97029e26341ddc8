import { expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import { createOfflineApp } from '../../support/api.ts';

const token = 'a long enough token: ü';
const app = createOfflineApp({ tokens: new AccessTokens({ apiToken: token }) });
const authorization = `Bearer ${Buffer.from(token).toString('latin1')}`;

test.each([
  '/x/livez',
  '//livez',
  '/livez/',
  '/LIVEZ',
  '/livez%2f..%2fmetrics',
  '//metrics',
  '/%6detrics',
  '/nope',
])('%s is no way around the guard', async (path) => {
  expect((await app.request(path)).status).toBe(401);
});

test.each(['/./docs', '/x/../metrics', '/%2e/metrics', '/v1/%2e%2e/metrics'])(
  '%s is the route that it comes to, and needs what that needs',
  async (path) => {
    expect((await app.request(path)).status).toBe(401);
  },
);

test('what is not routed is told to those who are known', async () => {
  expect((await app.request('/nope', { headers: { authorization } })).status).toBe(404);
  expect((await app.request('/v1/jobs', { method: 'PUT', headers: { authorization } })).status).toBe(405);
  expect((await app.request('/metrics', { method: 'HEAD' })).status).toBe(401);
  expect((await app.request('/metrics', { method: 'HEAD', headers: { authorization } })).status).toBe(200);
});

test.each([
  ['none', undefined],
  ['empty', 'Bearer '],
  ['wrong', 'Bearer wrong'],
  ['a prefix', 'Bearer a long enough'],
  ['another scheme', `Digest ${token.slice(0, 5)}`],
])('a token that is %s is refused with a challenge', async (_what, sent) => {
  const response = await app.request('/metrics', {
    headers: sent === undefined ? {} : { authorization: sent },
  });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="warren"');
});

test('a token may have any characters: headers carry them byte by byte', async () => {
  expect((await app.request('/metrics', { headers: { authorization } })).status).toBe(200);
});

test('the scheme may be written in any case', async () => {
  const ascii = createOfflineApp({ tokens: new AccessTokens({ apiToken: 'secret' }) });
  expect((await ascii.request('/metrics', { headers: { authorization: 'bearer secret' } })).status).toBe(200);
});

test('a bearer token is sent on purpose: whose page has sent it does not matter', async () => {
  const headers = { authorization, origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' };
  expect((await app.request('/metrics', { headers })).status).toBe(200);
});

test('a foreign page is refused before it could send anything along by itself', async () => {
  const headers = { origin: 'https://evil.example', cookie: 'warren-session=1' };
  expect((await app.request('/v1/queues/default/pause', { method: 'POST', headers })).status).toBe(403);
});

test('the body of a request that is refused is not read', async () => {
  const request = new Request('http://localhost/v1/jobs/batch', { method: 'POST', body: '{}' });
  expect((await app.request(request)).status).toBe(401);
  expect(request.bodyUsed).toBe(false);
});
