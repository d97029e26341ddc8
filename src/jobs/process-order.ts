/**
 * `process-order`: loads an order by its ID, works out its total and writes it back.
 *
 * Running it again writes the same total. Orders that are processed at the same time share their statements (group commit): the job runs
 * thousands of times per second on a handful of connections.
 */
import { z } from 'zod';
import { withDeadline } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { JobContext } from '#shared/job/job.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import type { Order, OrderItem, OrderTotal } from '#shared/postgres/orders.ts';
import { findOrders, writeOrderTotals } from '#shared/postgres/orders.ts';
import { cancel, defineJob } from './define.ts';

/** What a statement of a group may take, in milliseconds. */
const STATEMENT_MS = 10_000;

/** A row id as a decimal string, or a number that JavaScript holds exactly. Always a decimal string afterwards. */
const orderId = z
  .union([z.string().regex(/^\d{1,19}$/, 'must be a whole number'), z.int().positive()])
  .transform((id) => String(BigInt(id)))
  .refine((id) => parseId(id) !== null, 'must be from 1 to 2^63 - 1');

export const processOrder = defineJob({
  type: 'process-order',
  args: z.strictObject({ orderId }),
  async perform({ orderId }, { services: { sql } }: JobContext<{ sql: HandlerClient }>) {
    const { reads, writes } = sharedBy(sql);
    const order = await reads.add(orderId);
    if (order === undefined) return cancel(`there is no order ${orderId}`); // nor will there be: ids are not used again
    const totalCents = totalInCents(order.items);
    await writes.add({ id: orderId, totalCents });
    return { orderId, totalCents };
  },
});

/** What the items cost together, exactly. Throws `RangeError` where a quantity or a price is not a whole number or the total is not safe. */
export function totalInCents(items: readonly OrderItem[]): number {
  let total = 0;
  for (const { sku, quantity, unitCents } of items) {
    if (!Number.isSafeInteger(quantity) || !Number.isSafeInteger(unitCents))
      throw new RangeError(`item ${sku}: quantity and price must be whole numbers`);
    // A product or sum that is a safe integer was not rounded.
    const cents = quantity * unitCents;
    total += cents;
    if (!Number.isSafeInteger(cents) || !Number.isSafeInteger(total))
      throw new RangeError(`item ${sku}: the total exceeds ${Number.MAX_SAFE_INTEGER} cents`);
  }
  return total;
}

interface Shared {
  reads: Batcher<string, Order | undefined>;
  writes: Batcher<OrderTotal, undefined>;
}

/** They live as long as their client: a process has one, tests have several. */
const shared = new WeakMap<HandlerClient, Shared>();

function sharedBy(sql: HandlerClient): Shared {
  let found = shared.get(sql);
  if (found === undefined) {
    found = createShared(sql);
    shared.set(sql, found);
  }
  return found;
}

function createShared(sql: HandlerClient): Shared {
  return {
    reads: new Batcher<string, Order | undefined>({
      run: async (ids) => {
        const orders = await inTime(findOrders(sql, [...new Set(ids)]));
        const byId = new Map(orders.map((order) => [order.id, order]));
        return ids.map((id) => byId.get(id));
      },
      concurrency: 2,
    }),
    writes: new Batcher<OrderTotal, undefined>({
      run: async (totals) => {
        const latest = new Map(totals.map((total) => [total.id, total]));
        await inTime(writeOrderTotals(sql, [...latest.values()]));
        return totals.map(() => undefined);
      },
      isItemError: isRowError,
    }),
  };
}

/** A statement whose connection has gone without a word must not hold those of later jobs: they take another connection then. */
function inTime<T>(statement: Promise<T>): Promise<T> {
  return withDeadline(
    statement,
    STATEMENT_MS,
    () => new Error(`Postgres did not answer within ${STATEMENT_MS} ms`),
  );
}
