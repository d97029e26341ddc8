import { expect, test } from 'vitest';
import { createOfflineApp } from '../support/api.ts';

const token = 'a long enough token: ü';
const app = createOfflineApp({ apiToken: token });
const bearer = { authorization: `Bearer ${Buffer.from(token).toString('latin1')}` };
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

/** Every route of the document, with something in place of its parameters. */
async function everyRoute(): Promise<[method: string, path: string][]> {
  const plain = createOfflineApp();
  const { paths } = (await (await plain.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method): [string, string] => [
      method.toUpperCase(),
      path.replace('{id}', '1').replace('{name}', 'default'),
    ]),
  );
}

test('without the token nothing but health is open', async () => {
  const open: string[] = [];
  for (const [method, path] of await everyRoute()) {
    const response = await app.request(path, { method });
    if (response.status !== 401) open.push(`${method} ${path}`);
    else expect(response.headers.get('content-type')).toBe('application/problem+json');
  }
  expect(open).toEqual(['GET /livez', 'GET /readyz']);
});

test.each(['/x/livez', '//livez', '/livez/', '/LIVEZ', '/livez%2f..%2fmetrics', '/nope'])(
  '%s is no way around the guard',
  async (path) => {
    expect((await app.request(path)).status).toBe(401);
  },
);

test.each([
  ['none', undefined],
  ['empty', 'Bearer '],
  ['wrong', 'Bearer wrong'],
  ['a prefix', 'Bearer a long enough'],
  ['another scheme', `Digest ${token.slice(0, 5)}`],
])('a token that is %s is refused with a challenge', async (_what, authorization) => {
  const response = await app.request('/metrics', { headers: authorization ? { authorization } : {} });
  expect(response.status).toBe(401);
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="warren"');
});

test('the token lets in', async () => {
  const ascii = createOfflineApp({ apiToken: 'secret' });
  const headers = { authorization: 'bearer secret' };
  expect((await ascii.request('/metrics', { headers })).status).toBe(200);
  expect((await ascii.request('/nope', { headers })).status).toBe(404);
});

test('a token may have any characters: headers carry them byte by byte', async () => {
  expect((await app.request('/metrics', { headers: bearer })).status).toBe(200);
});

test('a browser may show the token as a password, for the page only', async () => {
  const challenge = await app.request('/docs');
  expect(challenge.headers.get('www-authenticate')).toContain('Basic');
  expect((await app.request('/docs', { headers: basic(`me:${token}`) })).status).toBe(200);
  expect((await app.request('/docs', { headers: basic('me:wrong') })).status).toBe(401);
  expect((await app.request('/metrics', { headers: basic(`me:${token}`) })).status).toBe(401);
});

test('a token with a colon works as a password', async () => {
  const colon = createOfflineApp({ apiToken: 'a:b' });
  expect((await colon.request('/docs', { headers: basic(':a:b') })).status).toBe(200);
});
