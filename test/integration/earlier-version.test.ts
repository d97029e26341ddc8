// A worker of an earlier version, which tells nobody what it runs, beside workers of this one: it may run whatever waits.
import { expect, test } from 'vitest';
import { reserveUnpublishedJobs } from '../../src/shared/postgres/statements/maintenance.ts';
import { noteUnservedTypes } from '../../src/shared/postgres/statements/unserved-types.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** A job of a type that no worker of this version knows. Returns its id. */
const insertForeign = async (fleet: Fleet, type: string) => {
  const [row] = await fleet.sql(
    (sql) => sql<{ id: string }[]>`
      insert into warren.jobs (type, queue, args, max_attempts, state)
      values (${type}, 'default', '{}', 1, 'available') returning id`,
  );
  return row?.id ?? '';
};

/** Beats as earlier versions do, so that it lives for the length of a test. */
const startEarlierWorker = (fleet: Fleet) =>
  fleet.sql(
    (sql) =>
      sql`insert into warren.workers (owner, name, beat_at) values (4711, 'earlier', now() + interval '1 hour')`,
  );

const stopEarlierWorker = (fleet: Fleet) =>
  fleet.sql((sql) => sql`delete from warren.workers where owner = 4711`);

test('the jobs that nobody else is known to run are published for it, and handed on by the others until it has them', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await startEarlierWorker(fleet);
  await fleet.startWorker();
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  const id = await insertForeign(fleet, 'invoice');
  // Twenty times at most a message is handed on, then the relay sends another.
  await suppressed.count(25, ({ jobId, reason }) => jobId === id && reason === 'foreign');
  expect(await fleet.job(id)).toMatchObject({ state: 'available', attempt: 0 });
});

test('while it lives no job counts as one that nobody runs, whatever its type and queue', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await insertForeign(fleet, 'invoice');
  const noted = async () => {
    await fleet.database.query(noteUnservedTypes);
    return (await fleet.sql((sql) => sql`select type from warren.unserved_types`)).map((row) => row['type']);
  };
  expect(await noted()).toEqual(['invoice']);
  await startEarlierWorker(fleet);
  expect(await noted()).toEqual([]);
  await stopEarlierWorker(fleet);
  expect(await noted()).toEqual(['invoice']);
});

test('the relay takes every type for it, each once, and those that are known to be served as well', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const lease = async () => {
    const reserved = await fleet.database.query((sql) => reserveUnpublishedJobs(sql, 100));
    return reserved.map(({ id, type }) => `${type} ${id}`).sort();
  };
  const types = ['bill', 'bill', 'invoice', 'test-job'];
  const inserted: string[] = [];
  for (const type of types) inserted.push(`${type} ${await insertForeign(fleet, type)}`);
  expect(await lease()).toEqual([]);
  await fleet.sql(
    (sql) => sql`insert into warren.workers (owner, name, beat_at, queues, types)
      values (4712, 'current', now() + interval '1 hour', '{default}', '{test-job}')`,
  );
  await startEarlierWorker(fleet);
  expect(await lease()).toEqual(inserted);
});
