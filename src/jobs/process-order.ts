/**
 * `process-order`: loads an order by its ID, works out its total and writes it back.
 *
 * Running it again writes the same total. Orders that are processed at the same time share their statements (group commit): the job runs
 * thousands of times per second on a handful of connections.
 */
import { z } from 'zod';
import { Batcher } from '#shared/batcher.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { Lookup } from '#shared/postgres/lookup.ts';
import { createLookup } from '#shared/postgres/lookup.ts';
import type { Order, OrderItem, OrderTotal } from '#shared/postgres/orders.ts';
import { findOrders, writeOrderTotals } from '#shared/postgres/orders.ts';
import { parseId } from '#shared/row-id.ts';
import { cancel, defineJob } from './define.ts';

/** A row id as a decimal string, or a number that JavaScript holds exactly. Always a decimal string afterwards. */
const orderId = z
  .union([z.string().regex(/^\d{1,19}$/, 'must be a whole number'), z.int().positive()])
  .transform((id) => String(BigInt(id)))
  .refine((id) => parseId(id) !== null, 'must be from 1 to 2^63 - 1');

export const processOrder = defineJob({
  type: 'process-order',
  args: z.strictObject({ orderId }),
  async perform({ orderId }, { database }) {
    const { findOrder, writes } = sharedBy(database);
    const order = await findOrder(orderId);
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
  findOrder: Lookup<Order>;
  writes: Batcher<OrderTotal, undefined>;
}

/** They live as long as their database: a process has one, tests have several. */
const shared = new WeakMap<Database, Shared>();

function sharedBy(database: Database): Shared {
  let found = shared.get(database);
  if (found === undefined) {
    found = createShared(database);
    shared.set(database, found);
  }
  return found;
}

function createShared(database: Database): Shared {
  return {
    findOrder: createLookup(database, findOrders),
    writes: new Batcher<OrderTotal, undefined>({
      run: async (totals) => {
        const latest = new Map(totals.map((total) => [total.id, total]));
        await database.query((sql) => writeOrderTotals(sql, [...latest.values()]));
        return totals.map(() => undefined);
      },
      isItemError: isRowError,
    }),
  };
}
