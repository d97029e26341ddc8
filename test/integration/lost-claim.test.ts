import { expect, test } from 'vitest';
import { startFleet, testJob } from '../support/fleet.ts';

test('a job that a worker has claimed without hearing of it runs, though no message tells of it', async () => {
  const gate = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async ({ waits }) => (waits === true ? await gate.promise : 'ran')),
  );
  await fleet.startWorker();
  const busy = await fleet.enqueue({ waits: true }); // a worker at rest looks more rarely
  await fleet.until(busy, 'running');
  const [worker] = await fleet.sql((sql) => sql<{ owner: string }[]>`select owner::text from warren.workers`);
  const id = await fleet.enqueue({}, { delayMs: 3_600_000 });
  await fleet.sql(
    (
      sql,
    ) => sql`update warren.jobs set state = 'running', attempt = 1, fence = 1, owner = ${worker?.owner ?? '0'},
      started_at = now() - interval '11 seconds' where id = ${id}`,
  );
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  gate.resolve();
  await fleet.until(busy);
});
