// The API program of a contender: `node programs/api.ts <contender>`. Warren has its own; both answer the same on the two routes that are asked.
// The HTTP server is Warren's, the statement that looks the order up too: the way to enqueue is what differs.
import { Hono } from 'hono';
import postgres from 'postgres';
import type { Order } from '../../../examples/shop/orders.ts';
import { findOrders } from '../../../examples/shop/orders.ts';
import { createLookup } from '../../../src/queue/lookup.ts';
import { HttpServer } from '../../../src/shared/http/http-server.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { Database } from '../../../src/shared/postgres/database.ts';
import type { Work } from '../contender.ts';
import { findContender } from '../contenders.ts';
import { describeError } from './describe-error.ts';
import { readPlaces } from './places.ts';

// As BullMQ's guide for production has it: a lost connection ends no process.
process.on('uncaughtException', describeError);
process.on('unhandledRejection', describeError);

const contender = await findContender(process.argv[2]);
const places = readPlaces(process.env);
const findOrder = contender.lookup === 'grouped' ? groupedLookup() : singleLookup();
const producer = await contender.connect(places);

const app = new Hono();
app.onError((error, c) => c.json({ detail: error.message }, 503));
app.get('/readyz', (c) => c.json({ status: 'ok' }));
app.get('/api/test/:id', async (c) => {
  const orderId = c.req.param('id');
  if (!/^\d+$/.test(orderId)) return c.json({ detail: 'an order id is made of digits' }, 400);
  const order = await findOrder(orderId);
  if (order === undefined) return c.json({ detail: `there is no order ${orderId}` }, 404);
  const jobId = await producer.enqueue({ orderId });
  const { totalCents: _totalCents, processedAt: _processedAt, ...answer } = order;
  return c.body(JSON.stringify({ order: answer, jobId }), 200, { 'content-type': 'application/json' });
});
app.post('/v1/jobs', async (c) => {
  const { args } = await c.req.json<{ args: Work }>();
  return c.json({ job: { id: await producer.enqueue(args) } }, 202);
});

await new HttpServer({ fetch: app.fetch, host: '127.0.0.1', port: Number(process.env['PORT']) }).start();

function singleLookup(): (id: string) => Promise<Order | undefined> {
  const sql = postgres(places.databaseUrl, { max: 10, fetch_types: false });
  return async (id) => (await findOrders(sql, [id]))[0];
}

function groupedLookup(): (id: string) => Promise<Order | undefined> {
  const database = new Database({
    url: places.databaseUrl,
    name: 'versus',
    min: 2,
    max: 10,
    events: new Events(),
  });
  database.start();
  return createLookup(database, findOrders);
}
