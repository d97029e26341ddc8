import { expect, test } from 'vitest';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a message that comes before its transaction commits is not dead-lettered: its job runs when it is there', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker();
  using received = listen(fleet.events, 'delivery.received');
  using dead = listen(fleet.events, 'delivery.dead-lettered');
  const id = await fleet.sql((sql) =>
    sql.begin(async (transaction) => {
      const job = { type: 'test-job', queue: 'default', args: {}, maxAttempts: 1 };
      const [inserted] = await insertJobs(transaction, [job]);
      await fleet.publisher.publish({ id: inserted?.id ?? '0', type: 'test-job', queue: 'default' });
      await received.first();
      return inserted?.id ?? '0';
    }),
  );
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(dead.all).toEqual([]);
});
