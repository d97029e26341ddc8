import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { AccessTokens } from '../../src/api/access/access-tokens.ts';
import { defineJob } from '../../src/jobs/define.ts';
import type { AppOptions } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import { createOfflineApp, toAnswer } from '../support/api.ts';
import { listOf } from './access/tokens.ts';

const known = defineJob({ type: 'known', args: z.strictObject({ n: z.int() }), perform: async () => {} });
const stranger = defineJob({ type: 'stranger', args: z.unknown(), perform: async () => {} });
const listed = { name: 'operator', role: 'operator', token: 'o' } as const;
const viewer = { name: 'viewer', role: 'viewer', token: 'v' } as const;

function serve(
  routes: AppOptions['routes'],
  tokens = new AccessTokens({}),
): ReturnType<typeof createOfflineApp> {
  const app = defineApp({ name: 'own', queues: { default: {} }, jobs: [known], routes });
  return createOfflineApp({ application: { app, services: { greeting: 'hello' } }, tokens });
}

test("an application's routes are served beside the API's own, with its services", async () => {
  const app = serve((hono, { services }) => {
    hono.get('/hello', (c) => c.json(services as object));
  });
  expect(await toAnswer(await app.request('/hello'))).toMatchObject({
    status: 200,
    body: { greeting: 'hello' },
  });
  expect((await app.request('/livez')).status).toBe(200);
});

test('what they enqueue is checked, and what goes wrong is a problem like those of the API', async () => {
  const app = serve((hono, { enqueue, query }) => {
    hono.get('/stranger', async (c) => c.json(await enqueue(stranger, {})));
    hono.get('/wrong', async (c) => c.json(await enqueue(known, { n: 0.5 })));
    hono.get('/away', async (c) => c.json(await query(async (sql) => await sql`select 1`)));
  });
  expect(await toAnswer(await app.request('/stranger'))).toMatchObject({
    status: 422,
    body: { code: 'unknown_type' },
  });
  expect(await toAnswer(await app.request('/wrong'))).toMatchObject({
    status: 422,
    body: { code: 'invalid_args' },
  });
  expect(await toAnswer(await app.request('/away'))).toMatchObject({ status: 503 });
});

test('they are behind the guard: for operators, where their document says nothing else', async () => {
  const digest = async (text: string) =>
    Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex');
  const tokens = new AccessTokens({
    apiToken: undefined,
    listed: await Promise.all(
      [listed, viewer].map(async ({ name, role, token }) => ({ name, role, sha256: await digest(token) })),
    ),
  });
  const app = serve((hono, { document }) => {
    hono.get('/silent', (c) => c.text('done'));
    hono.all('/files/*', (c) => c.text('done'));
    hono.get('/open/:id', (c) => c.text('done'));
    document({
      method: 'get',
      path: '/open/{id}',
      'x-role': 'viewer',
      responses: { 200: { description: 'done' } },
    });
  }, tokens);
  const status = async (path: string, token?: string) =>
    (await app.request(path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }))
      .status;
  for (const path of ['/silent', '/files/a', '/open/1']) expect(await status(path)).toBe(401);
  for (const path of ['/silent', '/files/a']) expect(await status(path, 'v')).toBe(403);
  for (const path of ['/silent', '/files/a', '/open/1']) expect(await status(path, 'o')).toBe(200);
  expect(await status('/open/1', 'v')).toBe(200);
  const headers = { authorization: 'Bearer o' };
  const { body } = await toAnswer(await app.request('/openapi.json', { headers }));
  expect(body.paths['/open/{id}'].get['x-role']).toBe('viewer');
});

test('of two routes that fit a path the one that answers says who may use it', async () => {
  const tokens = new AccessTokens({
    listed: listOf([
      ['v', 'viewer'],
      ['a', 'admin'],
    ]),
  });
  const app = serve((hono, { document }) => {
    hono.get('/orders/export', (c) => c.text('all of them'));
    hono.get('/orders/:id', (c) => c.text('one of them'));
    const responses = { 200: { description: 'done' } };
    document({ method: 'get', path: '/orders/export', 'x-role': 'admin', responses });
    document({ method: 'get', path: '/orders/{id}', 'x-role': 'viewer', responses });
  }, tokens);
  const ask = async (path: string, token: string) =>
    (await app.request(path, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await ask('/orders/7', 'v')).toBe(200);
  expect(await ask('/orders/export', 'v')).toBe(403);
  expect(await ask('/orders/export', 'a')).toBe(200);
});

test('a catch-all that answers is guarded as what it is, whatever else fits the path; one that hands on, as what it hands on to', async () => {
  const tokens = new AccessTokens({
    listed: listOf([
      ['v', 'viewer'],
      ['o', 'operator'],
    ]),
  });
  const files = new Hono();
  files.all('*', (c) => c.text('a file'));
  const app = serve((hono, { document }) => {
    hono.all('/orders/*', (c) => c.text('whatever it is'));
    hono.get('/orders/:id', (c) => c.text('one of them')); // never reached
    hono.route('/files', files);
    hono.use('/reports/*', async (_, next) => await next());
    hono.get('/reports/:id', (c) => c.text('a report'));
    hono.all('/v1/jobs/*', (c) => c.text('before the route of the API'));
    const responses = { 200: { description: 'done' } };
    document({ method: 'get', path: '/orders/{id}', 'x-role': 'none', responses });
    document({ method: 'get', path: '/reports/{id}', 'x-role': 'viewer', responses });
  }, tokens);
  const ask = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await app.request(path, { headers })).status;
  };
  for (const path of ['/orders/7', '/files/7', '/v1/jobs/7'])
    expect([path, await ask(path), await ask(path, 'v'), await ask(path, 'o')]).toEqual([
      path,
      401,
      403,
      200,
    ]);
  expect([await ask('/reports/7'), await ask('/reports/7', 'v')]).toEqual([401, 200]);
});
