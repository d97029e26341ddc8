// Every route with every role, no token and a wrong one, against a table that is written down here once more.
import { OpenAPIHono } from '@hono/zod-openapi';
import { describe, expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import type { Role } from '../../../src/api/access/roles.ts';
import { roles } from '../../../src/api/access/roles.ts';
import { RouteAccessTable } from '../../../src/api/access/route-access.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { createOfflineApp } from '../../support/api.ts';
import { listOf } from './tokens.ts';

const tokens = new AccessTokens({ listed: listOf(roles.map((role) => [`the ${role} token`, role])) });
const events = new Events();
const app = createOfflineApp({ tokens, events });

/** The least that may use each route; `none`: no token is needed. */
const table: Record<string, Role | 'none'> = {
  'GET /livez': 'none',
  'GET /readyz': 'none',
  'GET /metrics': 'metrics',
  'GET /openapi.json': 'viewer',
  'GET /docs': 'viewer',
  'GET /sign-in': 'none',
  'POST /sign-in': 'none',
  'POST /sign-out': 'none',
  'GET /api/test/:id': 'operator',
  'POST /api/test/:id': 'operator',
  'POST /v1/jobs': 'operator',
  'POST /v1/jobs/batch': 'operator',
  'GET /v1/jobs': 'viewer',
  'GET /v1/jobs/:id': 'viewer',
  'POST /v1/jobs/:id/cancel': 'operator',
  'POST /v1/jobs/:id/retry': 'operator',
  'GET /v1/queues': 'viewer',
  'POST /v1/queues/:name/pause': 'operator',
  'POST /v1/queues/:name/resume': 'operator',
};

const served = [
  ...new Set(
    app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`),
  ),
];

async function ask(route: string, headers: Record<string, string>) {
  const [method = '', path = ''] = route.split(' ');
  const concrete = path.replace(':id', '0').replace(':name', 'none'); // there are none such: nothing else is asked for
  return await app.request(concrete, { method, headers });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('the table names every route of the app, and the document says the same', async () => {
  expect(served.sort()).toEqual(Object.keys(table).sort());
  const { paths } = (await (
    await app.request('/openapi.json', { headers: bearer('the viewer token') })
  ).json()) as {
    paths: Record<string, Record<string, { 'x-role': string; security: unknown }>>;
  };
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const route = `${method.toUpperCase()} ${path.replaceAll(/{(\w+)}/g, ':$1')}`;
      const role = operation['x-role'];
      expect(operation.security).toEqual(role === 'none' ? [] : [{ bearer: [role] }, { session: [role] }]);
      return [route, role];
    }),
  );
  expect(Object.fromEntries(described)).toEqual(table);
});

describe.each(served)('%s', (route) => {
  const needed = table[route] ?? 'admin';

  test.each(roles)('with the role %s', async (role) => {
    const response = await ask(route, bearer(`the ${role} token`));
    const isLetIn = needed === 'none' || roles.indexOf(role) >= roles.indexOf(needed);
    if (isLetIn)
      expect(response.status).not.toSatisfy((status) => status === 403 || isUnknown(route, status));
    else {
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: 'role_missing' });
    }
  });

  test.each<[string, Record<string, string>]>([
    ['no token', {}],
    ['a wrong token', bearer('wrong')],
    ['the digest of a token', bearer(listOf([['the admin token', 'admin']])[0]?.sha256 ?? '')],
    ['an empty token', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: `Basic ${Buffer.from(':the admin token').toString('base64')}` }],
    ['a cookie that is no session', { cookie: 'warren-session=1.2.3', 'sec-fetch-site': 'same-origin' }],
  ])('with %s', async (_, headers) => {
    const { status } = await ask(route, headers);
    if (needed === 'none') expect(status).not.toSatisfy((given) => given === 403 || isUnknown(route, given));
    else expect(status).toBe(401);
  });
});

/** The form itself answers 401 where no token was filled in. */
function isUnknown(route: string, status: number): boolean {
  return status === 401 && route !== 'POST /sign-in';
}

test('a refused role is an event with the name of the token', async () => {
  const seen: unknown[] = [];
  const unsubscribe = events.subscribe('access.refused', (message) => seen.push(message));
  await ask('POST /v1/queues/:name/pause', bearer('the viewer token'));
  unsubscribe();
  expect(seen).toEqual([
    {
      requestId: expect.any(String),
      token: 'viewer-1',
      method: 'POST',
      path: '/v1/queues/none/pause',
      reason: 'needs operator',
    },
  ]);
});

test('what acts on jobs and queues is an event with the name of the token, and reading is none', async () => {
  const seen: unknown[] = [];
  const unsubscribe = events.subscribe('access.acted', (message) => seen.push(message));
  await ask('GET /v1/jobs/:id', bearer('the admin token'));
  await ask('POST /v1/jobs/:id/cancel', bearer('the operator token'));
  unsubscribe();
  expect(seen).toEqual([
    {
      requestId: expect.any(String),
      token: 'operator-2',
      role: 'operator',
      method: 'POST',
      path: '/v1/jobs/0/cancel',
      status: 404,
    },
  ]);
});

describe('a route that declares no role', () => {
  test('keeps the app from starting', () => {
    const forgetful = new OpenAPIHono();
    forgetful.use(async (_, next) => await next());
    forgetful.get('/forgotten', (c) => c.text('open to everybody'));
    expect(() => new RouteAccessTable(forgetful).assertDeclared()).toThrow(
      'GET /forgotten does not declare who may use it',
    );
    const wide = new OpenAPIHono();
    wide.all('/forgotten', (c) => c.text('open to everybody'));
    expect(() => new RouteAccessTable(wide).assertDeclared()).toThrow('/forgotten');
  });

  test('is refused to everybody where it comes later', async () => {
    const late = createOfflineApp();
    late.get('/late', (c) => c.text('open to everybody'));
    expect((await late.request('/late')).status).toBe(403);
  });
});
