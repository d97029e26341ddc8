// What the benchmark's own servers have in common: Warren's HTTP server, `/readyz`, and the answer of `/api/test/:id`.
import { Hono } from 'hono';
import type { Order } from '../../../examples/shop/orders.ts';
import { MAX_ID_DIGITS } from '../../../src/shared/base/row-id.ts';
import { HttpServer } from '../../../src/shared/http/http-server.ts';

export type Answer = (orderId: string) => Promise<string | undefined> | string | undefined;

/** Listens at `PORT` until the process is killed. */
export async function serveOrders(answer: Answer): Promise<void> {
  const app = new Hono();
  app.get('/readyz', (c) => c.text('ok'));
  app.get('/api/test/:id', async (c) => {
    const body = await answer(c.req.param('id'));
    return body === undefined ? c.notFound() : c.body(body, 200, { 'content-type': 'application/json' });
  });
  const port = Number(process.env['PORT']);
  await new HttpServer({ fetch: app.fetch, host: '127.0.0.1', port }).start();
}

/** Byte for byte what the API answers; the run compares them before it begins. */
export function presentOrder({ totalCents, processedAt, ...order }: Order, jobId: string): string {
  return JSON.stringify({ order, jobId }) + ' '.repeat(MAX_ID_DIGITS - jobId.length);
}

export function requireSetting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
