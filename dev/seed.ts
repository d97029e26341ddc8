// `npm run seed`: the demonstration's orders into the database at DATABASE_URL; running it again changes nothing.
import { seedOrders } from '../src/shared/postgres/orders.ts';
import { runOnDatabase } from './run-on-database.ts';

await runOnDatabase(async (databaseUrl) => {
  const { inserted } = await seedOrders({ databaseUrl });
  return inserted === 0 ? 'the orders are there' : `inserted ${inserted} orders`;
});
