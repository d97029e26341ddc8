// The bare route: the same answer made from an order in memory, and nothing else. What Hono on Node can do here at best.
import postgres from 'postgres';
import { findOrders, SEEDED_ORDERS } from '../../../examples/shop/orders.ts';
import { presentOrder, requireSetting, serveOrders } from './serve.ts';

const sql = postgres(requireSetting('DATABASE_URL'), { max: 1, fetch_types: false });
const ids = Array.from({ length: SEEDED_ORDERS }, (_, index) => String(index + 1));
const orders = new Map((await findOrders(sql, ids)).map((order) => [order.id, order]));
await sql.end();

await serveOrders((orderId) => {
  const order = orders.get(orderId);
  return order === undefined ? undefined : presentOrder(order, '1');
});
