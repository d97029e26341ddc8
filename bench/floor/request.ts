// The floor of a request, a program: look the orders up and insert the jobs of all requests that came together, answer, and publish their ids
// behind the answer, with confirm. Its routes are those that are measured.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import amqp from 'amqplib';
import postgres from 'postgres';
import { findOrders } from '../../examples/shop/orders.ts';
import { presentOrder, requireSetting } from '../enqueue/servers/serve.ts';
import { inGroups, publish } from './floor.ts';

interface Request {
  args: object;
  answer: (jobId: string) => void;
}

const STATEMENTS_AT_ONCE = 4;
const sql = postgres(requireSetting('DATABASE_URL'), { max: 2 * STATEMENTS_AT_ONCE, fetch_types: false });
const connection = await amqp.connect(requireSetting('AMQP_URL'), { noDelay: true });
const channel = await connection.createConfirmChannel();
let confirmed = 0;

const lookups = inGroups<{ orderId: string; response: ServerResponse }>(
  async (group) => {
    const ids = group.map(({ orderId }) => orderId);
    const orders = new Map((await findOrders(sql, ids)).map((order) => [order.id, order]));
    for (const { orderId, response } of group) {
      const order = orders.get(orderId);
      if (order === undefined) response.writeHead(404).end();
      else inserts.add({ args: { orderId }, answer: (id) => send(response, 200, presentOrder(order, id)) });
    }
  },
  { atOnce: STATEMENTS_AT_ONCE },
);
const inserts = inGroups<Request>(
  async (group) => {
    const rows = await sql<{ id: string }[]>`
      insert into floor.jobs (args) select jsonb_array_elements(${JSON.stringify(group.map(({ args }) => args))}::text::jsonb) returning id`;
    const ids = rows.map(({ id }, index) => {
      group[index]?.answer(id);
      return id;
    });
    publish(channel, ids);
    void channel.waitForConfirms().then(() => {
      confirmed += ids.length;
    });
  },
  { atOnce: STATEMENTS_AT_ONCE },
);

function send(response: ServerResponse, status: number, body: string): void {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, headers).end(body);
}

async function enqueue(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { args } = JSON.parse(Buffer.concat(await request.toArray()).toString());
  inserts.add({ args, answer: (id) => send(response, 202, JSON.stringify({ job: { id } })) });
}

createServer((request, response) => {
  const { url = '' } = request;
  if (url.startsWith('/api/test/')) lookups.add({ orderId: url.slice('/api/test/'.length), response });
  else if (url === '/v1/jobs') void enqueue(request, response);
  else response.end(`warren_publishes_confirmed_total ${confirmed}\n`); // `/readyz` and `/metrics`
}).listen(Number(process.env['PORT']), '127.0.0.1');
