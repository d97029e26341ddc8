// The lookup alone: Warren's own lookup of the order, by group commit, without a job.

import { findOrders } from '../../../examples/shop/orders.ts';
import { createLookup } from '../../../src/queue/lookup.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { Database } from '../../../src/shared/postgres/database.ts';
import { presentOrder, requireSetting, serveOrders } from './serve.ts';

const database = new Database({
  url: requireSetting('DATABASE_URL'),
  name: 'bench-lookup',
  min: 2,
  max: 10,
  events: new Events(),
});
database.start();
const findOrder = createLookup(database, findOrders);

await serveOrders(async (orderId) => {
  const order = await findOrder(orderId);
  return order === undefined ? undefined : presentOrder(order, '1');
});
