// `npm run seed`: the demonstration's orders into the database at DATABASE_URL; running it again changes nothing.
import { seedOrders } from '../examples/shop/orders.ts';
import { readCommandLine } from './command-line.ts';
import { runOnDatabase } from './run-on-database.ts';

readCommandLine({
  name: 'npm run seed',
  about:
    "Inserts the demonstration's 10 000 orders into the database at DATABASE_URL; running it again changes nothing.",
  flags: {},
});
await runOnDatabase(async (databaseUrl) => {
  const { inserted } = await seedOrders({ databaseUrl });
  return inserted === 0 ? 'the orders are there' : `inserted ${inserted} orders`;
});
