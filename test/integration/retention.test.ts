// What has ended is deleted when its time is over, in bounded steps that wait for nobody; what has not ended never is.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Job, JobDefinition } from '../../src/shared/job/job.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import type { Kept } from '../../src/shared/postgres/statements/job-types.ts';
import { tellTypes } from '../../src/shared/postgres/tell-types.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { createArchive } from '../../src/worker/maintenance/archive.ts';
import { createPruner } from '../../src/worker/maintenance/pruner.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { asRole } from '../support/servers.ts';
import { app } from '../support/shop.ts';
import { testApp } from '../support/test-app.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const config = readConfig('worker', app, { DATABASE_URL: 'postgres://a/b', AMQP_URL: 'none' });
/** From one pass to the next: `brief` is kept for the shortest time, and a tenth of that is waited. */
const PAUSE_MS = HOUR_MS / 10;
/** At least. */
const MIN_PAUSE_MS = 10_000;
const brief = testJob(async () => {}, { type: 'brief', retention: { completed: HOUR_MS } });
const lasting = testJob(async () => {}, { type: 'lasting', retention: { completed: null } });

let fleet: Fleet;
/** With a worker's grants, no more. */
let database: Database;

beforeAll(async () => {
  fleet = await startFleet();
  // Two applications: the worker that deletes need not know the types of either.
  for (const [name, type] of [
    ['a', brief],
    ['b', lasting],
  ] as const)
    await tellTypes({ ...fleet, app: { ...testApp([type as JobDefinition]), name } });
  database = new Database({
    url: asRole(fleet.testDatabase.url, 'worker'),
    name: 'pruner',
    min: 1,
    max: 2,
    events: fleet.events,
  });
});

afterAll(async () => {
  await database.stop();
  await fleet[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await fleet.sql((sql) => sql`truncate warren.jobs, warren.idempotency_keys`);
});

const onFreed = () => {};
const pruner = (batch: number) => createPruner({ database, events: fleet.events, onFreed, ...config, batch });

interface Row {
  type?: string;
  state: string;
  daysOld: number;
}

/** In the order of their ids, the oldest first, as jobs are made. */
async function insert(rows: readonly Row[]): Promise<void> {
  await fleet.sql(async (sql) => {
    for (const { type = 'other', state, daysOld } of rows) {
      const isLive = !['completed', 'cancelled', 'discarded'].includes(state);
      await sql`
        insert into warren.jobs (type, queue, state, max_attempts, args, created_at, finished_at)
        values (${type}, 'default', ${state}, 1, '{}', now() - ${daysOld} * interval '1 day',
          ${isLive ? null : sql`now() - ${daysOld} * interval '1 day'`})`;
    }
  });
}

const archiveOf = (
  options: { archive?: (jobs: readonly Job[]) => Promise<void>; archiveFile?: string },
  definitions: readonly JobDefinition[] = [],
) =>
  createArchive({ ...testApp(definitions), archive: options.archive }, { archiveFile: options.archiveFile });

const left = async () =>
  (await fleet.sql((sql) => sql`select type, state, args from warren.jobs order by id`)).map(
    (row) => `${row['type']} ${row['state']}`,
  );

/** Plays rounds until the pass is over. Returns how many there were. */
async function pass(batch: number): Promise<number> {
  const round = pruner(batch);
  for (let rounds = 1; ; rounds += 1) if ((await round()) >= MIN_PAUSE_MS) return rounds;
}

test('by default completed jobs stay for a week, cancelled and discarded ones for a month, live ones always', async () => {
  expect(config.retention).toEqual({ completed: 7 * DAY_MS, cancelled: 30 * DAY_MS, discarded: 30 * DAY_MS });
  const live = ['scheduled', 'available', 'running', 'retryable'];
  await insert([
    ...live.map((state) => ({ state, daysOld: 400 })),
    { state: 'discarded', daysOld: 31 },
    { state: 'cancelled', daysOld: 31 },
    { state: 'discarded', daysOld: 29 },
    { state: 'cancelled', daysOld: 29 },
    { state: 'completed', daysOld: 8 },
    { state: 'completed', daysOld: 6 },
  ]);
  await pass(1_000);
  expect(await left()).toEqual([
    ...live.map((state) => `other ${state}`),
    'other discarded',
    'other cancelled',
    'other completed',
  ]);
});

test('a job type may keep its jobs for less or for ever; what it does not say is as the settings have it', async () => {
  await insert([
    { type: 'lasting', state: 'completed', daysOld: 400 },
    { type: 'lasting', state: 'discarded', daysOld: 31 },
    { type: 'brief', state: 'discarded', daysOld: 29 },
    { type: 'brief', state: 'completed', daysOld: 1 },
    { type: 'other', state: 'completed', daysOld: 1 },
    { type: 'brief', state: 'completed', daysOld: 0 },
  ]);
  await pass(1_000);
  expect(await left()).toEqual([
    'lasting completed',
    'brief discarded',
    'other completed',
    'brief completed',
  ]);
});

test('what a type does not say, the settings of its own application say, whichever application leads', async () => {
  const kept = { completed: 20 * DAY_MS, cancelled: null, discarded: DAY_MS, idempotencyKey: 48 * HOUR_MS };
  const tell = (name: string, types: readonly JobDefinition[], settings: Kept) =>
    tellTypes({ ...fleet, app: { ...testApp(types), name }, kept: settings });
  const common = testJob(async () => {}, { type: 'common' }) as JobDefinition;
  await tell('crm', [testJob(async () => {}, { type: 'theirs' }) as JobDefinition, common], kept);
  await tell('billing', [common], { ...kept, completed: 2 * DAY_MS, discarded: 4 * DAY_MS });
  for (const type of ['theirs', 'common'])
    await insert([
      { type, state: 'cancelled', daysOld: 400 }, // billing would keep it for a month
      { type, state: 'completed', daysOld: 21 },
      { type, state: 'completed', daysOld: 19 },
      { type, state: 'discarded', daysOld: 3 },
    ]);
  const inHours = (hours: number) =>
    fleet.sql(
      (sql) => sql`insert into warren.idempotency_keys (key, fingerprint, job_ids, created_at)
      values (${`of ${hours} hours`}, '', '{}', now() - ${hours} * interval '1 hour')`,
    );
  await inHours(47);
  await inHours(49);
  await pass(1_000);
  expect(await left()).toEqual([
    'theirs cancelled',
    'theirs completed',
    'common cancelled',
    'common completed',
    'common discarded', // two applications have it: the longer time
  ]);
  expect(
    (await fleet.sql((sql) => sql`select key from warren.idempotency_keys`)).map((row) => row['key']),
  ).toEqual(['of 47 hours']);
  await fleet.sql((sql) => sql`delete from warren.job_types where name in ('theirs', 'common')`);
});

test('a round looks at a bounded number of jobs, and the next goes on behind them; a pass ends at the young ones', async () => {
  using done = listen(fleet.events, 'maintenance.done');
  await insert(Array.from({ length: 25 }, () => ({ state: 'completed', daysOld: 8 })));
  await insert(Array.from({ length: 15 }, () => ({ state: 'running', daysOld: 8 })));
  await insert(Array.from({ length: 10 }, () => ({ state: 'completed', daysOld: 8 })));
  await insert(Array.from({ length: 100 }, () => ({ state: 'completed', daysOld: 0 })));
  expect(await pass(10)).toBe(6);
  expect(await left()).toHaveLength(115);
  const deleted = done.all.filter(({ task }) => task === 'pruner').map(({ count }) => count);
  expect(deleted).toEqual([10, 10, 5, 10]);
});

test('what somebody holds locked is not waited for', async () => {
  await insert([
    { state: 'discarded', daysOld: 31 },
    { state: 'completed', daysOld: 31 },
  ]);
  await fleet.sql((sql) =>
    sql.begin(async (holder) => {
      await holder`select from warren.jobs where state = 'discarded' for update`;
      await pass(1_000);
      expect(await left()).toEqual(['other discarded']);
    }),
  );
  await pass(1_000);
  expect(await left()).toEqual([]);
});

test('what a type keeps for seconds is looked for again soon, what all keep for days every hour', async () => {
  const keepBriefFor = (ms: number) =>
    fleet.sql(
      (sql) =>
        sql`update warren.job_types set retention = ${sql.json({ completed: ms })} where name = 'brief'`,
    );
  const pause = (): Promise<number> => pruner(1_000)();
  expect(await pause()).toBe(PAUSE_MS);
  for (const [keptMs, pauseMs] of [
    [1, MIN_PAUSE_MS],
    [300_000, 30_000],
    [7 * DAY_MS, HOUR_MS],
  ] as const) {
    await keepBriefFor(keptMs);
    expect(await pause()).toBe(pauseMs);
  }
  await keepBriefFor(HOUR_MS);
});

test('a job of a batch that runs stays, archived or not; when the batch has ended it goes', async () => {
  await insert([{ state: 'completed', daysOld: 8 }]);
  await fleet.sql(
    (sql) => sql`
    with made as (insert into warren.batches (is_open) values (true) returning id)
    update warren.jobs set batch_id = made.id from made`,
  );
  const archived: string[] = [];
  const archive = archiveOf({ archive: async (jobs) => void archived.push(...jobs.map(({ id }) => id)) });
  await pass(1_000);
  await createPruner({ database, events: fleet.events, onFreed, ...config, archive })();
  expect(archived).toEqual([]);
  expect(await left()).toEqual(['other completed']);
  await fleet.sql((sql) => sql`update warren.batches set finished_at = now()`);
  await createPruner({ database, events: fleet.events, onFreed, ...config, archive })();
  expect(archived).toHaveLength(1);
  expect(await left()).toEqual([]);
});

test('0 days keep for ever', async () => {
  await fleet.sql((sql) => sql`update warren.job_types set retention = null`);
  const forEver = readConfig('worker', app, {
    DATABASE_URL: 'postgres://a/b',
    AMQP_URL: 'none',
    RETENTION_COMPLETED_DAYS: '0',
    RETENTION_CANCELLED_DAYS: '0',
    RETENTION_DISCARDED_DAYS: '0',
  });
  await insert([{ state: 'completed', daysOld: 4_000 }]);
  const round = createPruner({ database, events: fleet.events, onFreed, ...forEver });
  expect(await round()).toBe(HOUR_MS);
  expect(await left()).toEqual(['other completed']);
});

test('an idempotency key is remembered for a day, or as the settings have it', async () => {
  const keys = async () =>
    (await fleet.sql((sql) => sql`select key from warren.idempotency_keys order by key`)).map(
      (row) => row['key'],
    );
  await fleet.sql(
    (sql) => sql`
      insert into warren.idempotency_keys (key, fingerprint, job_ids, created_at)
      values ('a', '', '{}', now() - interval '25 hours'), ('b', '', '{}', now() - interval '23 hours')`,
  );
  await pass(1_000);
  expect(await keys()).toEqual(['b']);
  await createPruner({ database, events: fleet.events, onFreed, ...config, idempotencyKeyMs: HOUR_MS })();
  expect(await keys()).toEqual([]);
});

test('places at gates whose job is gone are given up; a start that a rate has not counted is left to the admission', async () => {
  const { id } = await fleet.sql(async (sql) => {
    await sql`truncate warren.passes, warren.gates, warren.limits`;
    await sql`
      insert into warren.limits (origin, name, concurrency, rate_count, rate_per_ms, burst)
      values ('run time', 'rate', null, 1, 1000, 1), ('run time', 'slots', 1, null, null, null)`;
    await insert([{ state: 'available', daysOld: 0 }]);
    const [job] = await sql<{ id: string }[]>`select id::text from warren.jobs`;
    await sql`
      insert into warren.passes (gate, job_id, since, fence)
      select gate, job_id, now(), 0
      from unnest(array['order:default:k', 'group:default:g', 'limit:gone', 'limit:slots', 'limit:rate', 'limit:rate:key']) as gate,
        unnest(array[${job?.id ?? ''}::bigint, -1]) as job_id`;
    await sql`insert into warren.passes (gate, job_id, since, fence, started) values ('limit:rate', -2, now(), 0, true)`;
    await sql`
      insert into warren.gates (gate, full_at_ms, turn)
      values ('limit:old', 0, null), ('limit:new', extract(epoch from now()) * 1000, null), ('group:default:g', null, 'g')`;
    return job as { id: string };
  });
  const freed: string[] = [];
  await createPruner({
    database,
    events: fleet.events,
    ...config,
    onFreed: (gates) => void freed.push(...gates),
  })();
  expect(freed.toSorted()).toEqual(['limit:rate', 'limit:rate:key']);
  const left = await fleet.sql(
    (sql) => sql`select gate, job_id::text as job from warren.passes order by job_id, gate`,
  );
  expect(left.map(({ gate, job }) => [job, gate])).toEqual([
    ['-1', 'limit:rate'],
    ['-1', 'limit:rate:key'],
    [id, 'group:default:g'],
    [id, 'limit:gone'],
    [id, 'limit:rate'],
    [id, 'limit:rate:key'],
    [id, 'limit:slots'],
    [id, 'order:default:k'],
  ]);
  const known = await fleet.sql((sql) => sql`select gate from warren.gates order by gate`);
  expect(known.map(({ gate }) => gate)).toEqual(['group:default:g', 'limit:new']);
});

test('jobs are archived before they are deleted; what the archive refuses stays, and comes again', async () => {
  await insert(Array.from({ length: 450 }, () => ({ state: 'completed', daysOld: 8 })));
  await insert([
    { state: 'running', daysOld: 8 },
    { state: 'completed', daysOld: 6 },
  ]);
  const calls: string[][] = [];
  let refuses = 1;
  const archive = archiveOf({
    archive: async (jobs) => {
      expect(await left()).toHaveLength(452 - calls.flat().length);
      if (calls.length === 1 && refuses > 0) {
        refuses -= 1;
        throw new Error('the archive is full');
      }
      calls.push(jobs.map(({ id }) => id));
    },
  });
  const round = createPruner({ database, events: fleet.events, onFreed, ...config, archive });
  await expect(round()).rejects.toThrow('the archive is full');
  expect(await left()).toHaveLength(252);
  await round();
  expect(calls.map(({ length }) => length)).toEqual([200, 200, 50]);
  expect(new Set(calls.flat()).size).toBe(450);
  expect(await left()).toEqual(['other running', 'other completed']);
});

test('a job that is retried while it is being archived is not deleted', async () => {
  await insert([
    { state: 'discarded', daysOld: 31 },
    { state: 'discarded', daysOld: 31 },
  ]);
  const archive = archiveOf({
    archive: async ([first]) => {
      await fleet.sql(
        (sql) =>
          sql`update warren.jobs set state = 'available', finished_at = null where id = ${first?.id ?? ''}`,
      );
    },
  });
  await createPruner({ database, events: fleet.events, onFreed, ...config, archive })();
  expect(await left()).toEqual(['other available']);
});

test('the archive file has a line of JSON for each job, what is redacted left out; a torn line is ended first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'warren-archive-'));
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const archiveFile = join(folder, 'jobs.ndjson');
  await writeFile(archiveFile, '{"id":"1","torn');
  const secret = testJob(async () => {}, { type: 'secret', redact: ['password'] }) as JobDefinition;
  const plain = testJob(async () => {}, { type: 'plain' }) as JobDefinition;
  await insert([
    { type: 'secret', state: 'completed', daysOld: 8 },
    { type: 'plain', state: 'discarded', daysOld: 31 },
    { type: 'unknown', state: 'completed', daysOld: 8 },
  ]);
  await fleet.sql((sql) => sql`update warren.jobs set args = '{"password":"hidden","name":"Ada"}'`);
  const archive = archiveOf({ archiveFile }, [secret, plain]);
  await createPruner({ database, events: fleet.events, onFreed, ...config, archive })();
  const [torn, ...lines] = (await readFile(archiveFile, 'utf8')).trimEnd().split('\n');
  expect(torn).toBe('{"id":"1","torn');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { type: 'secret', state: 'completed', args: { password: '[redacted]', name: 'Ada' } },
    { type: 'plain', state: 'discarded', args: { password: 'hidden', name: 'Ada' } },
    { type: 'unknown', state: 'completed', args: '[redacted]' }, // what it hides, nobody knows
  ]);
  expect(await left()).toEqual([]);
});

test('a leader whose application archives nothing leaves alone what another application archives, and the other way round', async () => {
  const kept = { ...config.retention, idempotencyKey: HOUR_MS };
  for (const [name, type, doesArchive] of [
    ['crm', 'theirs', true],
    ['billing', 'ours', false],
  ] as const)
    await tellTypes({
      ...fleet,
      app: { ...testApp([testJob(async () => {}, { type }) as JobDefinition]), name },
      kept: { ...kept, archives: doesArchive },
    });
  const rows = ['theirs', 'ours'].map((type) => ({ type, state: 'completed', daysOld: 8 }));
  await insert(rows);
  await pass(1_000);
  expect(await left()).toEqual(['theirs completed']);
  await insert(rows);
  const archived: string[] = [];
  const archive = archiveOf({
    archive: async (jobs) => {
      archived.push(...jobs.map(({ type }) => type));
    },
  });
  await createPruner({ database, events: fleet.events, onFreed, ...config, archive })();
  expect(archived).toEqual(['theirs', 'theirs']);
  expect(await left()).toEqual([]);
  await fleet.sql((sql) => sql`delete from warren.job_types where name in ('theirs', 'ours')`);
});
