/**
 * `process-order`: loads an order by its ID, works out its total and writes it back. Running it again writes the same total.
 */
import type { JobContext } from 'warren/app';
import { cancel, defineJob } from 'warren/app';
import { z } from 'zod';
import type { OrderItem, Orders } from './orders.ts';

const MAX_ID = 2n ** 63n - 1n;

/** A row id as a decimal string, or a number that JavaScript holds exactly. Always a decimal string afterwards. */
const orderId = z
  .union([z.string().regex(/^\d{1,19}$/, 'must be a whole number'), z.int().positive()])
  .transform((id) => String(BigInt(id)))
  .refine((id) => BigInt(id) >= 1n && BigInt(id) <= MAX_ID, 'must be from 1 to 2^63 - 1');

export const processOrder = defineJob({
  type: 'process-order',
  args: z.strictObject({ orderId }),
  async perform({ orderId }, { services: { orders } }: JobContext<{ orders: Orders }>) {
    const order = await orders.find(orderId);
    if (order === undefined) return cancel(`there is no order ${orderId}`); // nor will there be: ids are not used again
    const totalCents = totalInCents(order.items);
    await orders.writeTotal({ id: orderId, totalCents });
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
