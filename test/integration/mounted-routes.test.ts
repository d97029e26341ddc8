// The routes of an application in its own server: `warren.http()` has them as the program `api` has, with the application's services.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { AppOptions, AppResources } from '../../src/index.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const ship = defineJob({
  type: 'ship',
  args: z.object({ order: z.string() }),
  perform: async () => {},
});

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

/** An application with a route of its own, and what became of its services. */
function createShop(before: () => void = () => {}) {
  const seen: string[] = [];
  const services = async ({ sql }: AppResources) => {
    before();
    const [row] = await sql<{ name: string }[]>`select current_database() as name`;
    seen.push('made');
    return {
      shop: row?.name,
      [Symbol.asyncDispose]: async () => void seen.push('disposed'),
    };
  };
  const routes: AppOptions<[], { shop: string | undefined }>['routes'] = (hono, tools) => {
    hono.post('/orders/:id/ship', async (c) => {
      const { job } = await tools.enqueue(ship, { order: c.req.param('id') });
      return c.json({ shop: tools.services.shop, jobId: job.id });
    });
    hono.all('/files/*', (c) => c.text('a file'));
    tools.document({
      method: 'post',
      path: '/orders/{id}/ship',
      summary: 'ship an order',
      responses: { 200: { description: 'it will be shipped' } },
    });
  };
  const app = defineApp({ name: 'shop', queues: { default: {} }, jobs: [ship], services, routes });
  return { seen, warren: new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' }) };
}

const listed = [
  { name: 'reader', role: 'viewer' },
  { name: 'clerk', role: 'operator' },
] as const;
const tokens = listed.map((token) => ({ ...token, sha256: hash('sha256', token.name, 'hex') }));
const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function serve(fetch: Hono['fetch']): Promise<AsyncDisposable & { url: string }> {
  const server = createAdaptorServer({ fetch });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      await once(server.close(), 'close');
    },
  };
}

test('they are served where the API is mounted, for whom the guard lets in, and enqueue', async () => {
  const { warren, seen } = createShop();
  await warren.start();
  const host = new Hono().mount('/warren', warren.http({ tokens }).fetch);
  await using server = await serve(host.fetch);
  const post = async (options: RequestInit = {}) =>
    await fetch(`${server.url}/warren/orders/7/ship`, { method: 'POST', ...options });

  expect([(await post()).status, (await post(as('reader'))).status]).toEqual([401, 403]);
  const answer = await post(as('clerk'));
  expect(answer.status).toBe(200);
  const { shop, jobId } = (await answer.json()) as { shop: string; jobId: string };
  expect(shop).toBe(new URL(database.url).pathname.slice(1));
  expect(await warren.jobs.find(jobId)).toMatchObject({ type: 'ship', args: { order: '7' } });

  const file = async (options?: RequestInit) => (await fetch(`${server.url}/warren/files/a`, options)).status;
  expect([await file(), await file(as('reader')), await file(as('clerk'))]).toEqual([401, 403, 200]);

  const document = await fetch(`${server.url}/warren/openapi.json`, as('reader'));
  expect(await document.json()).toMatchObject({
    paths: { '/orders/{id}/ship': { post: { summary: 'ship an order', 'x-role': 'operator' } } },
  });
  expect(seen).toEqual(['made']);
  await warren.stop();
  expect(seen).toEqual(['made', 'disposed']);
});

test('the services are made when Postgres is there, once for all faces, and not where there is none', async () => {
  const { warren, seen } = createShop();
  const early = warren.http({ tokens });
  expect((await early.request('/orders/7/ship', { method: 'POST', ...as('clerk') })).status).toBe(503);
  expect(seen).toEqual([]);
  await warren.start();
  for (const face of [early, warren.http({ tokens }), warren.http({ tokens })])
    expect((await face.request('/files/a', as('clerk'))).status).toBe(200);
  expect(seen).toEqual(['made']);
  await warren.stop();

  const other = createShop();
  await other.warren.start();
  await other.warren.enqueue(ship, { order: '7' });
  await other.warren.stop();
  expect(other.seen).toEqual([]);
});

test('services that cannot be made keep nobody from enqueueing, and are tried again', async () => {
  let broken = true;
  const { warren, seen } = createShop(() => {
    if (broken) throw new Error('no mail server');
  });
  using failed = listen(warren.events, 'services.failed');
  const http = warren.http({ tokens });
  await warren.start();
  expect(await failed.first()).toMatchObject({ when: 'made', error: { message: 'no mail server' } });
  expect((await http.request('/files/a', as('clerk'))).status).toBe(503);
  expect((await http.request('/livez')).status).toBe(200);
  expect((await warren.enqueue(ship, { order: '7' })).created).toBe(true);
  broken = false;
  await eventually(
    async () => (await http.request('/files/a', as('clerk'))).status,
    (status) => status === 200,
  );
  await warren.stop();
  expect(seen).toEqual(['made', 'disposed']);
});
