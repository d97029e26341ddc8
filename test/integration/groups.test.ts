// Groups: the groups of a queue take turns, by weight, and none has more running than it may.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { admitJobs } from '../../src/shared/postgres/statements/admit.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, startFleetWith, testJob } from '../support/fleet.ts';
import { insertHeld, untilCount } from '../support/held.ts';

/** What a job takes: long enough for others to start beside it, were they let. In milliseconds. */
const WORK_MS = 20;

const jobsOf = (group: string, count: number) =>
  Array.from({ length: count }, () => ({ group, args: { group } }));

test('a group with many jobs does not delay the first of another group', async () => {
  const starts: string[] = [];
  const inserted = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async ({ group }) => {
      starts.push(String(group));
      if (starts.length >= 500) await inserted.promise; // the others wait until there is one of the other group
    }),
  );
  await insertHeld(fleet, jobsOf('large', 2_000));
  await fleet.startWorker();
  await eventually(
    () => starts.length,
    (started) => started >= 500,
  );
  const [small = ''] = await insertHeld(fleet, jobsOf('small', 1));
  const before = starts.length;
  inserted.resolve();
  await fleet.until(small);
  const passed = starts.indexOf('small') - before;
  expect(passed).toBeGreaterThanOrEqual(0);
  expect(passed).toBeLessThan(200); // of 1500 that wait
});

test('groups take turns by weight, the oldest job of each first, as many as the workers have slots for', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql(
    (sql) => sql`insert into warren.queues (name, group_weights) values ('default', '{"a": 3}')`,
  );
  const ids = await insertHeld(
    fleet,
    ['a', 'b', 'c'].flatMap((group) => jobsOf(group, 20)),
  );
  const { jobs } = await fleet.database.query((sql) => admitJobs(sql, ['group:default:a']));
  const places = jobs
    .map(({ id }) => ids.indexOf(id))
    .map((place) => `${'abc'[Math.floor(place / 20)]}${place % 20}`);
  expect(places.join(' ')).toBe('a0 a1 a2 b0 c0 a3 a4 a5 b1 c1 a6 a7 a8 b2 c2 a9');
  expect((await fleet.database.query((sql) => admitJobs(sql, ['group:default:a']))).jobs).toEqual([]);
});

test('no group has more running than its queue lets it, while others go on', async () => {
  let starts = 0;
  const running = { a: 0, b: 0 };
  const most = { a: 0, b: 0 };
  await using fleet = await startFleetWith(
    { groups: { maxRunning: 2 } },
    testJob(async (args) => {
      const group = args['group'] as 'a' | 'b';
      most[group] = Math.max(most[group], ++running[group]);
      starts += 1;
      await delay(WORK_MS * (1 + (starts % 3))); // they do not end together
      running[group] -= 1;
    }),
  );
  await insertHeld(fleet, [...jobsOf('a', 40), ...jobsOf('b', 40)]);
  await Promise.all([fleet.startWorker(), fleet.startWorker()]);
  await untilCount(fleet, 'completed', 80);
  expect(most.a).toBeLessThanOrEqual(2);
  expect(most.b).toBeLessThanOrEqual(2);
});

test('however many groups are full, one call looks at a bounded number, uses a place that was given back, and the next call goes on', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`insert into warren.queues (name, group_max_running) values ('default', 1)`);
  const names = Array.from({ length: 1_100 }, (_, place) => `g${String(place).padStart(4, '0')}`);
  const running = await insertHeld(
    fleet,
    names.flatMap((name) => jobsOf(name, 1)),
  );
  await fleet.sql(async (sql) => {
    await sql`
      insert into warren.passes (gate, job_id, since, fence, started)
      select held_for, id, now(), 0, true from warren.jobs where state = 'held'`;
    await sql`update warren.jobs set state = 'running', held_for = null, held_rank = null where state = 'held'`;
  });
  const waiting = await insertHeld(
    fleet,
    [...names, 'z'].flatMap((name) => jobsOf(name, 1)),
  );
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set state = 'completed', finished_at = now() where id = ${running[1_050] ?? ''}`,
  );
  const admit = async (gate: string) =>
    (await fleet.database.query((sql) => admitJobs(sql, [gate]))).jobs.map(({ id }) => id);
  expect(await admit('group:default:g1050')).toEqual([waiting[1_050]]);
  expect(await fleet.sql((sql) => sql`select turn from warren.gates`)).toEqual([
    { turn: 'group:default:g0999' },
  ]);
  expect(await admit('group:default:g0000')).toEqual([waiting[1_100]]);
});
