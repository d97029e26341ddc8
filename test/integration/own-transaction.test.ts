// A job's own transaction: what it does and the job's end are committed as one, whatever happens to its connection, its claim and its handler.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cancel } from '../../src/jobs/define.ts';
import { enqueueInTransaction } from '../../src/queue/enqueue-in-transaction.ts';
import type { JobContext } from '../../src/shared/job/job.ts';
import type { TransactionSql } from '../../src/shared/job/transaction.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleetWith, testJob } from '../support/fleet.ts';
import { undoClaims } from '../support/undo-claims.ts';

type Perform = (args: Record<string, unknown>, context: JobContext) => Promise<unknown>;

let fleet: Fleet;
let perform: Perform;

const child = testJob(async () => 'grown up', { type: 'child' });

beforeAll(async () => {
  fleet = await startFleetWith(
    { limits: { single: { concurrency: 1 } } },
    testJob((args, context) => perform(args, context)),
    testJob((args, context) => perform(args, context), { type: 'hasty', timeoutMs: 1_000 }),
    child,
  );
  await fleet.sql(async (sql) => {
    await sql.unsafe(`
      create schema book;
      create table book.effects (job bigint, name text default 'effect');
      create function book.sleep() returns trigger language plpgsql as $$
        begin
          perform pg_catalog.pg_sleep(case new.name when 'slow' then 3 else 60 end);
          return null;
        end $$;
      create constraint trigger slow_commit after insert on book.effects deferrable initially deferred
        for each row when (new.name in ('slow', 'endless')) execute function book.sleep();
      grant usage on schema book to public;
      grant all on book.effects to public`);
  });
  await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await fleet.sql((sql) => sql`truncate book.effects`);
});

const write = async (sql: TransactionSql, { jobId }: JobContext, name = 'effect') => {
  await sql`insert into book.effects (job, name) values (${jobId}, ${name})`;
};
const effects = async (): Promise<string[]> => {
  const rows = await fleet.sql((sql) => sql<{ name: string }[]>`select name from book.effects order by name`);
  return rows.map(({ name }) => name);
};
const backendOf = async (sql: TransactionSql): Promise<number> => {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  return row?.pid ?? 0;
};
const terminate = (pid: number) => fleet.sql((sql) => sql`select pg_terminate_backend(${pid})`);

test('effects, jobs and the end of the job are committed as one; the handler goes on for itself', async () => {
  using ends = listen(fleet.events, 'job.ended');
  using said = listen(fleet.events, 'handler.logged');
  let seen: unknown;
  perform = async (_args, context) => {
    const output = await context.transaction(async (sql) => {
      await write(sql, context);
      await sql
        .savepoint(async (savepoint) => {
          await write(savepoint, context, 'undone');
          throw new Error('undone');
        })
        .catch(() => {});
      const [enqueued] = await enqueueInTransaction(sql, [{ definition: child, args: {} }]);
      return { child: enqueued?.job.id };
    });
    seen = { output, state: (await fleet.job(context.jobId)).state };
    throw new Error('too late');
  };
  const job = await fleet.until(await fleet.enqueue());
  const output = job.output as { child: string };
  expect(job).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect(await fleet.until(output.child)).toMatchObject({ state: 'completed', output: 'grown up' });
  expect(await effects()).toEqual(['effect']);
  expect(seen).toEqual({ output, state: 'completed' });
  await ends.count(1, ({ jobId }) => jobId === job.id);
  expect(said.all).toMatchObject([{ jobId: job.id, level: 'error', error: 'Error: too late' }]);
});

test('where the work throws there is no effect, and the attempt has failed', async () => {
  perform = async (_args, context) =>
    context.transaction(async (sql) => {
      await write(sql, context);
      if (context.attempt === 1) throw new Error('broken');
      if (context.attempt === 2) await sql`select 1 / 0`.catch(() => {}); // the transaction is spoilt
      return 'done';
    });
  const job = await fleet.until(await fleet.enqueue());
  expect(job).toMatchObject({ state: 'completed', attempt: 3, output: 'done' });
  expect(job.errors).toHaveLength(2);
  expect(await effects()).toEqual(['effect']);
});

test('a job can be cancelled with its effects; one with gates gives its place back', async () => {
  perform = async ({ last }, context) =>
    context.transaction(async (sql) => {
      await write(sql, context);
      return last === true ? 'last' : cancel('enough');
    });
  const first = await fleet.enqueue({}, { limits: ['single'] });
  const last = await fleet.enqueue({ last: true }, { limits: ['single'] });
  expect(await fleet.until(first)).toMatchObject({ state: 'cancelled', errors: [{ message: 'enough' }] });
  expect(await fleet.until(last)).toMatchObject({ state: 'completed', output: 'last' });
  expect(await effects()).toEqual(['effect', 'effect']);
});

test('an attempt that has lost its job leaves no effect', async () => {
  using fenced = listen(fleet.events, 'attempt.fenced');
  let reason: unknown;
  perform = async (_args, context) => {
    try {
      await context.transaction(async (sql) => {
        await write(sql, context, 'lost');
        await fleet.sql(
          (other) =>
            other`update warren.jobs set state = 'cancelled', fence = fence + 1, finished_at = now() where id = ${context.jobId}`,
        );
      });
    } finally {
      reason = context.signal.reason;
    }
  };
  const id = await fleet.enqueue();
  await fleet.until(id, 'cancelled');
  await fenced.count(1, ({ jobId }) => jobId === id);
  expect(await effects()).toEqual([]);
  expect(reason).toBe('lost');
});

test('a claim that a crash of Postgres has undone is restored before the outcome is recorded', async () => {
  perform = async (_args, context) =>
    context.transaction(async (sql) => {
      await write(sql, context);
      await undoClaims(fleet, [context.jobId]);
      return 'done';
    });
  const job = await fleet.until(await fleet.enqueue());
  await fleet.sql((sql) => sql`insert into warren.claims_open default values on conflict do nothing`);
  expect(job).toMatchObject({ state: 'completed', attempt: 1, output: 'done' });
  expect(await effects()).toEqual(['effect']);
});

test('nothing is committed on another connection where the first is lost, whatever the handler catches', async () => {
  perform = async (_args, context) => {
    if (context.fence > 1) return 'second';
    return await context.transaction(async (sql) => {
      await write(sql, context, 'before');
      await terminate(await backendOf(sql));
      await sql`select 1`.catch(() => {});
      await write(sql, context, 'after').catch(() => {});
      await Promise.allSettled([write(sql, context, 'at once'), write(sql, context, 'at once')]);
      return 'first';
    });
  };
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({
    state: 'completed',
    output: 'second',
    attempt: 1, // an outage is nobody's fault
    errors: [],
  });
  expect(await effects()).toEqual([]);
});

test('a commit that the server has not made is not taken for one: the job runs again, uncharged', async () => {
  perform = async (_args, context) =>
    context.transaction(async (sql) => {
      const isFirst = context.fence === 1;
      await write(sql, context, isFirst ? 'endless' : 'effect');
      const pid = await backendOf(sql);
      if (isFirst) void terminateAtCommit(pid);
      return 'done';
    });
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({
    state: 'completed',
    attempt: 1,
    errors: [],
  });
  expect(await effects()).toEqual(['effect']);
});

async function terminateAtCommit(pid: number): Promise<void> {
  await eventually(
    () =>
      fleet.sql(
        (sql) =>
          sql`select from pg_stat_activity where pid = ${pid} and query = 'commit' and state = 'active'`,
      ),
    (rows) => rows.length === 1,
  );
  await terminate(pid);
}

test('a commit whose answer is lost counts, as the row tells', async () => {
  using ends = listen(fleet.events, 'job.ended');
  perform = async (_args, context) =>
    context.transaction(async (sql) => {
      await write(sql, context, 'slow'); // the attempt is over, and its connection cut, while Postgres commits
      return 'done';
    });
  const id = await fleet.enqueue({}, { type: 'hasty' });
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, output: 'done', errors: [] });
  await ends.count(1, ({ jobId }) => jobId === id);
  expect(await effects()).toEqual(['slow']);
});

test('a transaction that the handler does not await ends the job all the same', async () => {
  perform = async (_args, context) => {
    void context.transaction(async (sql) => {
      await write(sql, context);
      return 'of the transaction';
    });
    await expect(context.transaction(async () => 'another')).rejects.toThrow('in its transaction already');
    return 'of the handler';
  };
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({
    state: 'completed',
    output: 'of the transaction',
  });
  expect(await effects()).toEqual(['effect']);
});
