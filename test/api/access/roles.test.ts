// Every route without a token and with a wrong one, against a table that is written down once more. With every role: test/integration/every-role.test.ts.
import { OpenAPIHono } from '@hono/zod-openapi';
import { describe, expect, test } from 'vitest';
import { AccessTokens } from '../../../src/api/access/access-tokens.ts';
import { actOf } from '../../../src/api/access/audited-act.ts';
import { roles } from '../../../src/api/access/roles.ts';
import { RouteAccessTable } from '../../../src/api/access/route-access.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { createOfflineApp } from '../../support/api.ts';
import { pages, table, unaudited } from './route-roles.ts';
import { listOf } from './tokens.ts';

const tokens = new AccessTokens({ listed: listOf(roles.map((role) => [`the ${role} token`, role])) });
const events = new Events();
const app = createOfflineApp({ tokens, events });

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

test('the tables name every route of the app, and the document says the same of all but the pages', async () => {
  expect(served.sort()).toEqual(Object.keys({ ...table, ...pages }).sort());
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

test('every route that changes something is audited, or has another record', async () => {
  const answer = await app.request('/openapi.json', { headers: bearer('the viewer token') });
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, object>> };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path.replaceAll(/{(\w+)}/g, ':$1')}`,
      isAudited: 'x-audited' in operation,
    })),
  );
  const audited = operations.filter(({ isAudited }) => isAudited).map(({ route }) => route);
  expect(audited.filter((route) => route.startsWith('GET '))).toEqual([]);
  const changing = operations.filter(({ route }) => !route.startsWith('GET ') || route in unaudited);
  const forgotten = changing.filter(({ route, isAudited }) => isAudited === route in unaudited);
  expect(forgotten).toEqual([]);
});

test('an act is called the same in the audit whether a form or the API was used', () => {
  const actsOf = (routes: object) =>
    Object.keys(routes).map((route) => {
      const [method = '', path = ''] = route.split(' ');
      return actOf(method, path);
    });
  const forms = Object.fromEntries(
    Object.entries(pages).filter(([route]) => route.startsWith('POST') && !(route in unaudited)),
  );
  const known = actsOf(table);
  expect(actsOf(forms).filter((act) => !known.includes(act))).toEqual([]);
});

describe.each(served)('%s', (route) => {
  const needed = { ...table, ...pages }[route] ?? 'admin';

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
