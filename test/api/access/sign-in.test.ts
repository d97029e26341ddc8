// People sign in with a browser: a form, a cookie, and no way for anybody else's page to use it.
import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import { SESSION_SECONDS, Sessions } from '../../../src/api/access/sessions.ts';
import { createOfflineApp } from '../../support/api.ts';
import { listOf } from './tokens.ts';

const list = listOf([
  ['the viewer token', 'viewer'],
  ['the operator token', 'operator'],
  ['the metrics token', 'metrics'],
]);
const tokens = new AccessTokens({ listed: list });
const app = createOfflineApp({ tokens });
const host = 'jobs.example';
const browser = { host, accept: 'text/html,application/xhtml+xml', 'sec-fetch-site': 'same-origin' };

async function signIn(
  token: string,
  { to = '/docs', origin = `https://${host}`, site = 'same-origin' } = {},
) {
  return await app.request('/sign-in', {
    method: 'POST',
    headers: {
      ...browser,
      origin,
      'sec-fetch-site': site,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token, to }),
  });
}

/** What the browser would send from now on. */
async function cookieOf(token: string): Promise<string> {
  const response = await signIn(token);
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

describe('the form', () => {
  test('is where a browser is sent that opens a page without a session', async () => {
    for (const path of ['/docs', '/openapi.json']) {
      const response = await app.request(path, { headers: browser });
      expect(response.status).toBe(302);
      expect(response.headers.get('location')).toBe(`sign-in?to=${encodeURIComponent(path)}`);
    }
  });

  test('needs no script, loads nothing, and may be framed by nobody', async () => {
    const response = await app.request('/sign-in?to=/openapi.json', { headers: browser });
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(page).toContain('<form method="post" action="sign-in">');
    expect(page).toContain('<input type="hidden" name="to" value="/openapi.json">');
    expect(page).not.toMatch(/<script|<link|<img|src=|style="/);
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/api/test/7',
    '/docs"><script>',
    '/nope',
  ])('leads to the dashboard where it is to lead to %s', async (to) => {
    const page = await (
      await app.request(`/sign-in?to=${encodeURIComponent(to)}`, { headers: browser })
    ).text();
    expect(page).toContain('name="to" value="/dashboard"');
    expect((await signIn('the viewer token', { to })).headers.get('location')).toBe('dashboard');
  });

  test('is of no use where everybody may do everything', async () => {
    const response = await createOfflineApp().request('/sign-in');
    expect(response.headers.get('location')).toBe('dashboard');
  });
});

describe('signing in', () => {
  test('gives a cookie that scripts cannot read and other sites cannot send, and opens the page', async () => {
    const response = await signIn('the viewer token', { to: '/openapi.json' });
    expect(response.status).toBe(303);
    expect(response.headers.get('location')).toBe('openapi.json');
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^__Host-warren-session=/);
    for (const attribute of ['HttpOnly', 'SameSite=Strict', 'Secure', 'Path=/', 'Max-Age=43200'])
      expect(cookie).toContain(attribute);
    expect(cookie).not.toContain('token');
    expect(
      (await app.request('/docs', { headers: { ...browser, cookie: cookie.split(';')[0] ?? '' } })).status,
    ).toBe(200);
  });

  test('works without https, where a secure cookie would be dropped', async () => {
    const cookie =
      (await signIn('the viewer token', { origin: `http://${host}` })).headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/^warren-session=/);
    expect(cookie).not.toContain('Secure');
    expect(
      (await app.request('/docs', { headers: { ...browser, cookie: cookie.split(';')[0] ?? '' } })).status,
    ).toBe(200);
  });

  test('with a wrong token shows the form again', async () => {
    const response = await signIn('wrong');
    expect(response.status).toBe(401);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.text()).toContain('This token is wrong.');
  });

  test('with a token that reads metrics only is refused', async () => {
    const response = await signIn('the metrics token');
    expect(response.status).toBe(403);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test.each([
    { origin: 'https://evil.example', site: 'cross-site' },
    { origin: 'null', site: 'none' },
  ])('by the form of another page is refused: %j', async (from) => {
    const response = await signIn('the viewer token', from);
    expect(response.status).toBe(403);
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  test('by a navigation of another site is refused too', async () => {
    const response = await app.request('/sign-in', {
      method: 'POST',
      headers: {
        host,
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
      body: new URLSearchParams({ token: 'the viewer token' }),
    });
    expect(response.status).toBe(403);
  });

  test('takes no form without end', async () => {
    expect((await signIn('x'.repeat(20_000))).status).toBe(413);
  });
});

describe('a session', () => {
  const pause = '/v1/queues/none/pause';

  test('has the role of its token', async () => {
    const viewer = { ...browser, cookie: await cookieOf('the viewer token') };
    const operator = { ...browser, cookie: await cookieOf('the operator token') };
    expect((await app.request('/openapi.json', { headers: viewer })).status).toBe(200);
    expect((await app.request(pause, { method: 'POST', headers: viewer })).status).toBe(403);
    expect((await app.request(pause, { method: 'POST', headers: operator })).status).toBe(404);
  });

  test.each<Record<string, string>>([
    {},
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ])('changes nothing unless a page of this server has asked: %j', async (from) => {
    const headers = { host, cookie: await cookieOf('the operator token'), ...from };
    for (const [method, path] of [
      ['POST', pause],
      ['GET', '/api/test/0'],
    ] as const)
      expect((await app.request(path, { method, headers })).status).toBe(403);
  });

  test('of a person who follows a link from elsewhere opens pages, and nothing else', async () => {
    const headers = {
      ...browser,
      cookie: await cookieOf('the viewer token'),
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await app.request('/docs', { headers })).status).toBe(200);
    expect((await app.request('/openapi.json', { headers })).status).toBe(403);
    expect((await app.request('/docs', { headers: { ...headers, 'sec-fetch-dest': 'iframe' } })).status).toBe(
      403,
    );
  });

  test('is shown with its token on the form, and ends by signing out', async () => {
    const cookie = await cookieOf('the viewer token');
    const page = await (await app.request('/sign-in', { headers: { ...browser, cookie } })).text();
    expect(page).toContain('<strong>viewer-0</strong> (viewer)');
    const response = await app.request('/sign-out', {
      method: 'POST',
      headers: { ...browser, origin: `https://${host}`, cookie },
    });
    expect(response.status).toBe(303);
    expect(response.headers.get('set-cookie')).toMatch(/^__Host-warren-session=;.*Max-Age=0/);
  });

  const sessions = new Sessions('secret');
  const [viewer] = list;
  const now = Date.UTC(2026, 0, 1);

  test('is known by every process with the same tokens and the same secret, and by no other', () => {
    if (viewer === undefined) throw new Error('there is a viewer');
    const session = sessions.create(viewer, now);
    expect(new Sessions('secret').find(session, new AccessTokens({ listed: list }), now)).toEqual(viewer);
    expect(new Sessions('another').find(session, tokens, now)).toBeUndefined();
  });

  test('is no proof on which the secret, an address with a password, could be guessed fast', () => {
    if (viewer === undefined) throw new Error('there is a viewer');
    const [expires, name, proof] = sessions.create(viewer, now).split('.');
    const key = createHmac('sha256', 'secret').update(`warren session ${viewer.sha256}`).digest();
    const fast = createHmac('sha256', key).update(`${expires}.${name}`).digest('base64url');
    expect(proof).not.toBe(fast);
  });

  test('ends after its time, with its token, and when the token is another under the same name', () => {
    if (viewer === undefined) throw new Error('there is a viewer');
    const session = sessions.create(viewer, now);
    const inForce = new AccessTokens({ listed: list });
    expect(sessions.find(session, inForce, now + SESSION_SECONDS * 1_000 - 1)).toEqual(viewer);
    expect(sessions.find(session, inForce, now + SESSION_SECONDS * 1_000)).toBeUndefined();
    inForce.replace([{ ...viewer, role: 'operator' }]);
    expect(sessions.find(session, inForce, now)?.role).toBe('operator');
    inForce.replace(listOf([['another token', 'viewer']]));
    expect(sessions.find(session, inForce, now)).toBeUndefined();
    inForce.replace([]);
    expect(sessions.find(session, inForce, now)).toBeUndefined();
  });

  test('cannot be made longer, given to another name, or made up', () => {
    if (viewer === undefined) throw new Error('there is a viewer');
    const [expires = '', name = '', proof = ''] = sessions.create(viewer, now).split('.');
    const operator = Buffer.from('operator-1').toString('base64url');
    for (const forged of [
      `${Number(expires) + 1}.${name}.${proof}`,
      `${expires}.${operator}.${proof}`,
      `${expires}.${name}.`,
      `${expires}.${name}.${proof.slice(1)}`,
      `${expires}.${name}.${proof}.`,
      '..',
      '',
    ])
      expect(sessions.find(forged, tokens, now)).toBeUndefined();
  });
});
