import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildReport } from '../../examples/shop/build-report.ts';
import type { DayTotal, Order, Orders } from '../../examples/shop/orders.ts';
import { createOrders, findOrders, seedOrders, writeOrderTotals } from '../../examples/shop/orders.ts';
import { processOrder } from '../../examples/shop/process-order.ts';
import { Cancel } from '../../src/jobs/define.ts';
import type { JobContext } from '../../src/shared/job/job.ts';
import { createHandlerClient } from '../../src/shared/postgres/handler-client.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

let server: TestDatabase;
let sql: Sql;
let orders: Orders;

beforeAll(async () => {
  server = await createDatabase();
  await seedOrders({ databaseUrl: server.url });
  sql = createHandlerClient({ url: server.url, name: 'warren-test', max: 4 });
  orders = createOrders(sql);
});

afterAll(async () => {
  await sql.end({ timeout: 2 });
  await server[Symbol.asyncDispose]();
});

test('an order gets its total, and the same one when it is processed again', async () => {
  const { items } = await findOrder('17');
  const totalCents = items.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);
  expect(totalCents).toBeGreaterThan(0);

  expect(await processOrder.perform({ orderId: '17' }, context())).toEqual({ orderId: '17', totalCents });
  const first = await findOrder('17');
  expect(first.totalCents).toBe(String(totalCents));
  expect(await processOrder.perform({ orderId: '17' }, context())).toEqual({ orderId: '17', totalCents });
  const second = await findOrder('17');
  expect(second).toEqual({ ...first, processedAt: second.processedAt });
  expect(second.processedAt?.getTime()).toBeGreaterThanOrEqual(first.processedAt?.getTime() ?? Infinity);
});

test('an order that does not exist cancels the job and writes nothing', async () => {
  const result = await processOrder.perform({ orderId: '9223372036854775807' }, context());
  expect(result).toEqual(new Cancel('there is no order 9223372036854775807'));
});

test('orders that are processed at once share two statements, and each job gets its own result', async () => {
  const { counted, count } = countStatements();
  const ids = Array.from({ length: 500 }, (_, n) => String(n % 400 === 399 ? 20_000 + n : (n % 400) + 1_000));
  const services = { orders: createOrders(counted) };
  const results = await Promise.all(
    ids.map((orderId) => processOrder.perform({ orderId }, context({ services }))),
  );
  expect(count()).toBe(2);

  const found = new Map((await find(ids)).map((order) => [order.id, order]));
  for (const [n, id] of ids.entries()) {
    const order = found.get(id);
    if (order === undefined) expect(results[n]).toBeInstanceOf(Cancel);
    else expect(results[n]).toEqual({ orderId: id, totalCents: Number(order.totalCents) });
  }
  expect(found.size).toBe(399);
});

test('an order with broken items fails alone', async () => {
  await insertOrder('30001', '2001-01-01', [{ sku: 'SKU-1', quantity: 1.5, unitCents: 1 }]);
  const jobs = ['18', '30001', '19'].map((orderId) => processOrder.perform({ orderId }, context()));
  const [before, broken, after] = await Promise.allSettled(jobs);
  expect(broken).toMatchObject({ status: 'rejected', reason: { name: 'RangeError' } });
  expect([before?.status, after?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect((await findOrder('30001')).totalCents).toBeNull();
});

test('two workers that write the same orders in opposite order do not lock each other out', async () => {
  const ascending = Array.from({ length: 2_000 }, (_, n) => ({ id: String(n + 1), totalCents: n }));
  const descending = ascending.toReversed();
  for (let round = 0; round < 5; round += 1) {
    const writes = [ascending, descending, ascending, descending].map((totals) =>
      writeOrderTotals(sql, totals),
    );
    await expect(Promise.all(writes)).resolves.toBeDefined();
  }
});

test('a report counts and sums the orders of each day in UTC, today first', async () => {
  const dayMs = 86_400_000;
  const today = new Date().toISOString().slice(0, 10);
  const before = (days: number) => new Date(Date.parse(today) - days * dayMs).toISOString().slice(0, 10);
  const large = [{ sku: 'SKU-1', quantity: 1_000, unitCents: 2_000_000_000 }]; // more than an int holds
  await insertOrder('40001', `${before(50)}T00:00:00Z`, large);
  await insertOrder('40002', `${before(50)}T23:59:59.999999Z`, []);
  await insertOrder('40003', `${before(49)}T00:00:00Z`, [{ sku: 'SKU-1', quantity: 2, unitCents: 5 }]);

  const report = (await buildReport.perform({ days: 51 }, context())) as {
    days: DayTotal[];
    orders: number;
    totalCents: number;
  };
  expect(report.days).toHaveLength(51);
  expect(report.days[0]?.day).toBe(today);
  expect(report.days[49]).toEqual({ day: before(49), orders: 1, totalCents: 10 });
  expect(report.days[50]).toEqual({ day: before(50), orders: 2, totalCents: 2_000_000_000_000 });

  const seeded = await find(Array.from({ length: 10_000 }, (_, n) => String(n + 1)));
  const cents = seeded
    .flatMap(({ items }) => items)
    .reduce((sum, item) => sum + item.quantity * item.unitCents, 0);
  expect(report).toMatchObject({ orders: 10_003, totalCents: cents + 2_000_000_000_010 });
});

test('a report that is aborted stops before the next day', async () => {
  const controller = new AbortController();
  const { counted, count } = countStatements(() => controller.abort('cancel'));
  const aborted = context({ services: { orders: createOrders(counted) }, signal: controller.signal });
  await expect(buildReport.perform({ days: 366 }, aborted)).rejects.toBe('cancel');
  expect(count()).toBe(1);
});

/** The same client, which counts what it is asked. */
function countStatements(onStatement = () => {}): { counted: Sql; count: () => number } {
  let count = 0;
  const counted = new Proxy(sql, {
    apply: (target, self, given: Parameters<Sql>) => {
      count += 1;
      onStatement();
      return Reflect.apply(target, self, given);
    },
  });
  return { counted, count: () => count };
}

async function find(ids: readonly string[]): Promise<Order[]> {
  return await findOrders(sql, ids);
}

async function findOrder(id: string): Promise<Order> {
  const [order] = await find([id]);
  if (order === undefined) throw new Error(`there is no order ${id}`);
  return order;
}

async function insertOrder(id: string, createdAt: string, items: readonly object[]): Promise<void> {
  await sql`
    insert into warren.orders (id, customer, items, currency, note, created_at)
    values (${id}, '{}', ${JSON.stringify(items)}::text::jsonb, 'EUR', '', ${createdAt}::text::timestamptz)`;
}

function context(more: Partial<JobContext<{ orders: Orders }>> = {}): JobContext<{ orders: Orders }> {
  return {
    jobId: '1',
    attempt: 1,
    maxAttempts: 10,
    fence: 1,
    progress: () => {},
    signal: new AbortController().signal,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    services: { orders },
    transaction: async () => Promise.reject(new Error('there is none')),
    ...more,
  };
}
