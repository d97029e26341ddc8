/**
 * The shop's orders: their table, their statements, and what the handlers have of them.
 *
 * Guarantees: orders that are looked up or written at the same time share their statements (group commit), so that thousands of jobs per second
 * need a handful of connections; a group settles within its deadline.
 */
import postgres from 'postgres';
import type { HandlerClient, Sql } from 'warren/app';
import { Batcher } from 'warren/app';

export interface OrderItem {
  sku: string;
  name: string;
  quantity: number;
  unitCents: number;
}

export interface Order {
  id: string;
  customer: { name: string; email: string; address: { street: string; city: string; country: string } };
  items: OrderItem[];
  currency: string;
  note: string;
  /** Null until `process-order` has worked it out. */
  totalCents: string | null;
  processedAt: Date | null;
  createdAt: Date;
}

export const SEEDED_ORDERS = 10_000;

/** The orders with these ids; ids without a row are left out. */
export async function findOrders(sql: Sql, ids: readonly string[]): Promise<Order[]> {
  return await sql<Order[]>`
    select id, customer, items, currency, note, total_cents as "totalCents", processed_at as "processedAt",
      created_at as "createdAt"
    from warren.orders where id = any(${`{${ids.join(',')}}`}::text::bigint[])`;
}

export interface OrderTotal {
  id: string;
  totalCents: number;
}

/**
 * Writes totals back; each order at most once per call. Running it again changes nothing but the time. The rows are locked in the order of
 * their ids, so that two workers with the same orders cannot lock each other out.
 */
export async function writeOrderTotals(sql: Sql, totals: readonly OrderTotal[]): Promise<void> {
  await sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(totals)}::text::jsonb) as o(id bigint, "totalCents" bigint)
    ),
    locked as (
      select id from warren.orders where id in (select id from given) order by id for no key update
    )
    update warren.orders set total_cents = given."totalCents", processed_at = now()
    from locked join given using (id)
    where orders.id = locked.id`;
}

export interface DayTotal {
  /** YYYY-MM-DD, UTC. */
  day: string;
  orders: number;
  totalCents: number;
}

/** Number and sum of the orders of one day, YYYY-MM-DD in UTC. Index: orders_created_at. */
export async function totalOrdersOfDay(sql: Sql, day: string): Promise<DayTotal> {
  const [total] = await sql<Omit<DayTotal, 'day'>[]>`
    with day as (
      select ${day}::text::timestamp at time zone 'UTC' as first
    )
    select count(*)::float8 as orders, coalesce(sum(cents), 0)::float8 as "totalCents"
    from day
    join warren.orders on created_at >= day.first and created_at < day.first + interval '24 hours'
    cross join lateral (
      select sum((item->>'quantity')::bigint * (item->>'unitCents')::bigint) as cents
      from jsonb_array_elements(items) as item
    ) as items`;
  return { day, orders: total?.orders ?? 0, totalCents: total?.totalCents ?? 0 };
}

/** What handlers and reports need of the orders. */
export interface Orders {
  /** Undefined where there is none with this id. */
  find(id: string): Promise<Order | undefined>;
  writeTotal(total: OrderTotal): Promise<void>;
  totalOfDay(day: string): Promise<DayTotal>;
}

/** What a statement of a group may take, in milliseconds. */
const STATEMENT_MS = 10_000;

export function createOrders(sql: HandlerClient): Orders {
  const reads = new Batcher<string, Order | undefined>({
    run: async (ids) => {
      const orders = await inTime(findOrders(sql, [...new Set(ids)]));
      const byId = new Map(orders.map((order) => [order.id, order]));
      return ids.map((id) => byId.get(id));
    },
    concurrency: 2,
  });
  const writes = new Batcher<OrderTotal, void>({
    run: async (totals) => {
      const latest = new Map(totals.map((total) => [total.id, total]));
      await inTime(writeOrderTotals(sql, [...latest.values()]));
      return totals.map(() => undefined);
    },
  });
  return {
    find: (id) => reads.add(id),
    writeTotal: (total) => writes.add(total),
    totalOfDay: (day) => totalOrdersOfDay(sql, day),
  };
}

/** A statement whose connection has gone without a word must not hold those of later jobs: they take another connection then. */
async function inTime<T>(statement: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Postgres did not answer within ${STATEMENT_MS} ms`)),
    STATEMENT_MS,
  );
  try {
    return await Promise.race([statement, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The shop's own schema. Running it again changes nothing; databases of earlier versions have the table already. */
export async function createOrdersTable(sql: HandlerClient): Promise<void> {
  await sql`
    create table if not exists warren.orders (
      id bigint primary key,
      customer jsonb not null,
      items jsonb not null,
      currency text not null,
      note text not null,
      total_cents bigint,
      processed_at timestamptz,
      created_at timestamptz not null
    )`;
  await sql`create index if not exists orders_created_at on warren.orders (created_at)`;
}

/** Fills the table with orders 1 to 10 000, made from their ids alone. Running it again changes nothing. */
export async function seedOrders({ databaseUrl }: { databaseUrl: string }): Promise<{ inserted: number }> {
  const sql = postgres(databaseUrl, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: 'warren-seed' },
  });
  try {
    const { count } = await sql`
      insert into warren.orders (id, customer, items, currency, note, created_at)
      select n,
        jsonb_build_object(
          'name', (array['Ada Lovelace', 'Alan Turing', 'Grace Hopper', 'Edsger Dijkstra', 'Barbara Liskov'])[n % 5 + 1],
          'email', 'customer' || n % 2500 || '@example.com',
          'address', jsonb_build_object('street', n % 200 + 1 || ' Burrow Lane', 'city',
            (array['Oxford', 'Lisbon', 'Utrecht', 'Graz'])[n % 4 + 1], 'country', (array['GB', 'PT', 'NL', 'AT'])[n % 4 + 1])),
        (select jsonb_agg(jsonb_build_object('sku', 'SKU-' || lpad((n * 7 + line * 131)::text, 7, '0'),
            'name', (array['Carrot crate', 'Clover seed', 'Garden spade', 'Oak barrel'])[(n + line) % 4 + 1],
            'quantity', (n + line) % 5 + 1, 'unitCents', 199 + (n * line * 37) % 9800))
          from generate_series(1, 3) as line),
        'EUR', 'Leave it at the burrow if nobody answers the bell. Ring twice for the kitchen, once for the garden; mind the step behind the second door, it is a high one. Thank you, and good night!',
        date_trunc('day', now(), 'UTC') - (n % 30) * interval '1 day' + (n % 86400) * interval '1 second'
      from generate_series(1, ${SEEDED_ORDERS}::int) as n
      on conflict (id) do nothing`;
    return { inserted: count };
  } finally {
    await sql.end({ timeout: 2 });
  }
}
