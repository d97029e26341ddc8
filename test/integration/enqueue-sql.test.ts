import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(testJob(async (args) => args, { maxAttempts: 7, queue: 'critical' }));
  await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** Runs the text as `psql` would, and returns the first column of its first row. */
async function run(text: string): Promise<string> {
  const [row] = await fleet.sql((sql) => sql.unsafe(text));
  return Object.values(row ?? {})[0] as string;
}

test('a job is enqueued in SQL, with the queue and the attempts of its type, and runs', async () => {
  const id = await run(`select warren.enqueue('test-job', '{"name": "Ada"}')`);
  expect(await fleet.until(id)).toMatchObject({
    state: 'completed',
    queue: 'critical',
    attempt: 1,
    maxAttempts: 7,
    output: { name: 'Ada' },
  });
});

test('in a transaction it runs after the commit, and does not exist after a rollback', async () => {
  const ids = await fleet.sql(async (sql) => {
    const one = async (fails: boolean) => {
      let id = '';
      const transaction = sql.begin(async (tx) => {
        const [row] = await tx`select warren.enqueue('test-job', '{}') as id`;
        id = row?.['id'];
        if (fails) throw new Error('rolled back');
      });
      await transaction.catch(() => {});
      return id;
    };
    return { rolledBack: await one(true), committed: await one(false) };
  });
  await fleet.until(ids.committed, 'completed');
  await expect(fleet.job(ids.rolledBack)).rejects.toThrow('there is no job');
});

test('in a trigger it runs for each row', async () => {
  await run('create table business (id int, job bigint)');
  await run(`
    create function told() returns trigger language plpgsql as $$
    begin
      new.job := warren.enqueue('test-job', jsonb_build_object('row', new.id), queue => 'default');
      return new;
    end $$`);
  await run('create trigger told before insert on business for each row execute function told()');
  await run('insert into business (id) select generate_series(1, 3)');
  const rows = await fleet.sql((sql) => sql`select id, job from business order by id`);
  for (const { id, job } of rows)
    expect(await fleet.until(job)).toMatchObject({
      state: 'completed',
      queue: 'default',
      output: { row: id },
    });
});

test('a delay, a time and a unique key are kept; the holder of the key is answered', async () => {
  const soon = await run(`select warren.enqueue('test-job', '{}', delay => '300 ms')`);
  expect(await fleet.until(soon, 'completed')).toMatchObject({ attempt: 1 });
  const later = `select warren.enqueue('test-job', '{}', unique_key => 'once', run_at => now() + interval '1 hour')`;
  const first = await run(later);
  expect(await run(later)).toBe(first);
  expect(await fleet.job(first)).toMatchObject({ state: 'scheduled', uniqueKey: 'once' });
});

test.each([
  [`'nobody-knows', '{}'`, 'no program has told of a job type "nobody-knows"'],
  [`'test-job', null`, 'the arguments must not be null'],
  [`'test-job', '{}', queue => 'nowhere'`, 'no program has told of a queue "nowhere"'],
  [`'test-job', '{}', max_attempts => 0`, 'max_attempts must be 1 to 1000'],
])('enqueue(%s) is refused in words', async (values, message) => {
  await expect(run(`select warren.enqueue(${values})`)).rejects.toThrow(message);
});

test.each(['infinity', '-infinity'])(
  'a job due at %s is refused: no statement could tell how long it has waited',
  async (time) => {
    await expect(run(`select warren.enqueue('test-job', '{}', run_at => '${time}')`)).rejects.toMatchObject({
      code: '23514',
      constraint_name: 'jobs_run_at_is_finite',
    });
  },
);
