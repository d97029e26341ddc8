import { expect, test } from 'vitest';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** The names of the workers that lead now: one, or none. */
async function leaders(fleet: Fleet): Promise<string[]> {
  const rows = await fleet.database.query(
    async (sql) =>
      await sql<{ name: string }[]>`
        select name from warren.leadership join warren.workers using (owner) where until > now()`,
  );
  return rows.map(({ name }) => name);
}

test('one of two workers leads; when it stops the other leads at once, and scheduled jobs go on', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const first = await fleet.startWorker();
  await eventually(
    () => leaders(fleet),
    (names) => names.length === 1,
  );
  await fleet.startWorker();
  const leading = await eventually(
    () => leaders(fleet),
    (names) => names.length === 1, // its term may have ended on a machine that stood still
  );
  expect(leading).toEqual(['warren-worker@test:1']);
  await fleet.until(await fleet.enqueue({}, { delayMs: 50 }), 'completed');
  const notices: string[] = [];
  await fleet.sql(async (listener) => {
    await listener.listen('warren', (notice) => notices.push(notice));
    await fleet.stopWorker(first);
    await eventually(
      () => notices,
      () => notices.includes('leader'),
    );
  });
  await eventually(
    () => leaders(fleet),
    (names) => names.length === 1 && names[0] === 'warren-worker@test:2',
  );
  await fleet.until(await fleet.enqueue({}, { delayMs: 50 }), 'completed');
});

test('a worker that is told that nobody leads looks at once, and not at its next beat, two and a half seconds later', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker();
  const beat = async () => {
    const [row] = await fleet.sql(
      (sql) => sql<{ at: number }[]>`select extract(epoch from beat_at)::float8 as at from warren.workers`,
    );
    return row?.at ?? 0;
  };
  const seconds: number[] = [];
  let last = await beat();
  for (let n = 0; n < 5; n += 1) {
    await fleet.sql((sql) => sql`select pg_notify('warren', 'leader')`);
    const next = await eventually(beat, (at) => at > last);
    seconds.push(next - last);
    last = next;
  }
  expect(Math.min(...seconds)).toBeLessThan(2);
});

test('a leader that loses its presence connection leads no more until it has the lock again', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker();
  await eventually(
    () => leaders(fleet),
    (names) => names.length === 1,
  );
  await fleet.sql(
    (sql) =>
      sql`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like '% presence'`,
  );
  await eventually(
    () => leaders(fleet),
    (names) => names.length === 1,
  );
  expect(await fleet.until(await fleet.enqueue({}, { delayMs: 50 }))).toMatchObject({
    state: 'completed',
    attempt: 1,
  });
});

test('a leader whose term has ended is replaced, though it keeps its lock', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`update warren.leadership set owner = 4711, until = now() + interval '1 hour'`);
  await fleet.sql(async (frozen) => {
    await frozen`select pg_advisory_lock(${ADVISORY_CLASS}::int, 4711)`;
    await fleet.startWorker();
    expect(await leaders(fleet)).toEqual([]);
    await fleet.sql((sql) => sql`update warren.leadership set until = now()`);
    await eventually(
      () => leaders(fleet),
      (names) => names[0] === 'warren-worker@test:1',
    );
  });
});
