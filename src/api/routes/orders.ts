/**
 * The source article's endpoint: looks an order up and enqueues a job for it.
 *
 * The hot path of the benchmark: plain handlers without validators, registered before every middleware but the guard; the OpenAPI document is
 * told separately. The answer waits for the job's commit.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { Enqueuer } from '#queue/enqueue.ts';
import { createLookup } from '#queue/lookup.ts';
import { MAX_ID_DIGITS, parseId } from '#shared/base/row-id.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Order } from '#shared/postgres/orders.ts';
import { findOrders } from '#shared/postgres/orders.ts';
import { testRoutes } from '../contract/order.ts';

const PATH = '/api/test/:id';
const JOB_TYPE = 'process-order';

export interface OrderDependencies {
  database: Database;
  enqueuer: Enqueuer;
  definitions: ReadonlyMap<string, JobDefinition>;
}

export function registerOrders(
  app: OpenAPIHono,
  { database, enqueuer, definitions }: OrderDependencies,
): void {
  const definition = definitions.get(JOB_TYPE);
  if (definition === undefined) throw new Error(`job type "${JOB_TYPE}" is not registered`);
  const findOrder = createLookup(database, findOrders);

  const testOrder = async (c: Context<object, typeof PATH>): Promise<Response> => {
    const orderId = c.req.param('id');
    if (!/^\d+$/.test(orderId)) throw new HTTPException(400, { message: 'an order id is made of digits' });
    const order = parseId(orderId) === null ? undefined : await findOrder(orderId);
    if (order === undefined)
      throw new HTTPException(404, { message: `there is no order ${orderId.slice(0, 40)}` });
    const { job } = await enqueuer.enqueue({ ...c.get('trace'), definition, args: { orderId } });
    return c.body(presentOrder(order, job.id), 200, { 'content-type': 'application/json' });
  };

  app.get(PATH, testOrder);
  app.post(PATH, testOrder);
  for (const route of testRoutes) app.openAPIRegistry.registerPath(route);
}

/**
 * As long for one job as for the next: `ab` counts an answer of another length than the first as failed. Hence the order without what its job writes
 * back, and white space after the JSON for the digits that the job's id does not have.
 */
function presentOrder({ totalCents, processedAt, ...order }: Order, jobId: string): string {
  return JSON.stringify({ order, jobId }) + ' '.repeat(MAX_ID_DIGITS - jobId.length);
}
