import { expect, test } from 'vitest';
import { byId, retryJobs } from '../../src/shared/postgres/statements/acts.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { reserveUnpublishedJobs } from '../../src/shared/postgres/statements/maintenance.ts';
import { markPublished, spendMessages } from '../../src/shared/postgres/statements/publish.ts';
import { pauseQueue, resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('a late mark does not hide a job whose message was spent, or that was cancelled and is retried', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const [spent = '', retried = ''] = [
    await fleet.enqueue({}, { delayMs: 1 }),
    await fleet.enqueue({}, { delayMs: 1 }),
  ];
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available'`);
  await fleet.database.query((sql) => spendMessages(sql, [spent]));
  await fleet.database.query((sql) => cancelJob(sql, retried));
  await fleet.database.query((sql) => retryJobs(sql, byId(sql, retried)));
  await fleet.database.query((sql) =>
    markPublished(sql, [
      { id: spent, fence: 0 },
      { id: retried, fence: 0 },
    ]),
  );
  expect(
    await fleet.sql((sql) => sql`select id from warren.jobs where published_at is not null`),
  ).toHaveLength(0);

  await fleet.sql((sql) => sql`update warren.jobs set relay_at = now()`);
  await fleet.sql(
    (sql) =>
      sql`insert into warren.workers (owner, name, queues, types) values (1, 'alive', '{default}', '{test-job}')`,
  );
  const reserved = await fleet.database.query((sql) => reserveUnpublishedJobs(sql, 10));
  await fleet.database.query((sql) => markPublished(sql, reserved));
  expect(await fleet.sql((sql) => sql`select id from warren.jobs where published_at is null`)).toHaveLength(
    0,
  );
});

test('jobs that are delivered at the moment of a pause run when the queue is resumed', async () => {
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
    }),
  );
  await fleet.startWorker();
  await fleet.sql((sql) => sql`update warren.queues set paused = true where name = 'default'`); // no notice: it still consumes
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  const ids = await Promise.all(Array.from({ length: 20 }, () => fleet.enqueue()));
  await suppressed.count(20);
  expect(runs).toBe(0);
  await fleet.database.query((sql) => pauseQueue(sql, 'default'));
  await fleet.database.query((sql) => resumeQueue(sql, 'default'));
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs).toBe(20);
});

test('a worker that is delivered a job which it runs does not start it again', async () => {
  let runs = 0;
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
      await release.promise;
    }),
  );
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  await makeAvailable(fleet, id); // as a false rescue would
  await fleet.publisher.publish({ id, type: 'test-job', queue: 'default' });
  expect((await suppressed.first()).reason).toBe('runs-here');
  expect(runs).toBe(1);
  release.resolve();
  // Its first attempt has lost its claim; the relay's message starts the second.
  expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(runs).toBe(2);
});

async function makeAvailable(fleet: Fleet, id: string): Promise<void> {
  await fleet.sql(
    (sql) => sql`update warren.jobs set state = 'available', fence = fence + 1 where id = ${id}`,
  );
}
