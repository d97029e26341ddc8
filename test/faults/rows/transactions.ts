// Rows 27, 28, 32 and 36: transactions that are cut short, wait for locks, commit out of order and race for a key.
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { defineJob } from '../../../src/jobs/define.ts';
import { enqueueInTransaction } from '../../../src/queue/enqueue-in-transaction.ts';
import { percentile } from '../books/checker.ts';
import { faultJobs } from '../preload/job-types.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { checkAnswersInTime } from './broker.ts';
import { publishAll } from './duplicates.ts';

process.env['FAULT_BOOK'] ??= '/nowhere'; // no handler runs in this process
const work = faultJobs(defineJob).find(({ type }) => type === 'fault-work');

/** In the caller's transaction, for the relay to publish. */
export async function insertJob(sql: postgres.ISql, key: string): Promise<string> {
  if (work === undefined) throw new Error('there is no fault-work');
  const [enqueued] = await enqueueInTransaction(sql, [{ definition: work, args: { key, ms: 5 } }]);
  const id = enqueued?.job.id;
  return id ?? '';
}

/** Runs `count` tasks, so many at once. */
async function inLanes(count: number, width: number, task: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const n = next;
      next += 1;
      await task(n);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** A business row and a job in one transaction that idles before its commit. */
async function insertPair(sql: postgres.Sql, key: string, idleMs: number): Promise<string> {
  return await sql.begin(async (transaction) => {
    await transaction`insert into book.business (key) values (${key})`;
    const id = await insertJob(transaction, key);
    await delay(idleMs);
    return id;
  });
}

async function neverSettled(): Promise<never> {
  await delay(3_000, undefined, { ref: false });
  throw Object.assign(new Error('the transaction has never settled'), { code: 'NEVER_SETTLED' });
}

const cutShort: Row = {
  number: 27,
  title: 'Transactions killed between their statements',
  play: async (scene) => {
    const { stage, random } = scene;
    await stage.sql(async (sql) => await sql`create table book.business (key text primary key)`);
    let failed = 0;
    let uncaught = 0;
    // postgres.js 3.4.9 throws out of a timer when a transaction goes on after its connection was closed; the transaction never settles then.
    const contain = () => {
      uncaught += 1;
    };
    process.on('uncaughtException', contain);
    const sql = postgres(stage.databaseUrl, {
      max: 60,
      onnotice: () => {},
      connection: { idle_in_transaction_session_timeout: 50 },
    });
    await inLanes(scene.size(500), 40, async (n) => {
      const key = `t${n}`;
      stage.submits.write({ key, phase: 'invoke' });
      try {
        const jobId = await Promise.race([insertPair(sql, key, random() * 100), neverSettled()]);
        stage.submits.write({ key, phase: 'ok', jobId });
      } catch (error) {
        failed += 1;
        stage.submits.write({ key, phase: 'unknown', error: String((error as { code?: string }).code) });
      }
    });
    await sql.end({ timeout: 2 });
    process.off('uncaughtException', contain);
    scene.figure('errors that postgres.js threw out of a timer', uncaught);
    scene.prove('transactions that the server has cut short', failed, failed > 0);
    scene.healed();
  },
  judge: async (scene) => {
    const [row] = await scene.stage.sql(
      async (sql) =>
        await sql`
        select count(*) filter (where business.key is null or job.id is null)::int as partial
        from book.business full join warren.jobs job on job.args->>'key' = business.key`,
    );
    scene.exactly('partial transactions', 0, Number(row?.['partial']));
  },
};

const locks: Row = {
  number: 28,
  title: 'The table is locked, transactions are aborted, connections run out',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage, load } = scene;
    const submitting = load.steady({ perSecond: scene.size(50), seconds: 45, ms: 20 });
    await delay(2_000);
    const from = monotonicMs();
    await lockTable(scene);
    await abortTransactions(scene);
    await useUpConnections(scene);
    const to = monotonicMs();
    scene.healed();
    await submitting;
    checkAnswersInTime(scene, { from, to, maxMs: 2_500 });
    scene.figure(
      'retriesMetric',
      (await Promise.all(stage.workers.map((worker) => worker.metric('warren_writes_retried_total')))).reduce(
        (sum, count) => sum + count,
        0,
      ),
    );
  },
  judge: (scene, { figures }) => scene.exactly('extra_runs', 0, figures.extraRuns),
};

async function lockTable(scene: Scene): Promise<void> {
  const waiting = await scene.stage.sql(
    async (sql) =>
      await sql.begin(async (transaction) => {
        await transaction`lock table warren.jobs in access exclusive mode`;
        await delay(20_000);
        const [row] = await transaction`select count(*)::int as count from pg_locks where not granted`;
        return Number(row?.['count']);
      }),
  );
  scene.prove('statements that waited for the lock', waiting, waiting > 0);
}

/** A fiftieth of all changes ends as a deadlock, a serialisation failure or a lock timeout would. */
async function abortTransactions(scene: Scene): Promise<void> {
  const { stage } = scene;
  await stage.sql(async (sql) => {
    await sql.unsafe(`
      create function book.abort() returns trigger language plpgsql as $$
        begin
          if random() < 0.02 then
            raise exception 'injected' using errcode = (array['40P01', '40001', '55P03'])[1 + floor(random() * 3)];
          end if;
          return new;
        end $$;
      create trigger aborted before insert or update on warren.jobs for each row execute function book.abort()`);
  });
  await delay(8_000);
  await stage.sql(async (sql) => await sql.unsafe('drop trigger aborted on warren.jobs'));
}

async function useUpConnections(scene: Scene): Promise<void> {
  const sql = postgres(scene.stage.databaseUrl, { max: 220, connect_timeout: 5, onnotice: () => {} });
  const results = await Promise.allSettled(Array.from({ length: 220 }, () => sql`select pg_sleep(6)`));
  await sql.end({ timeout: 1 });
  const refused = results.filter(({ status }) => status === 'rejected').length;
  scene.prove('connections that were refused', refused, refused > 0);
}

const outOfOrder: Row = {
  number: 32,
  title: 'Transactions commit out of the order of their ids',
  maxAmplification: 1.5,
  play: async (scene) => {
    const { stage, random } = scene;
    const sql = postgres(stage.databaseUrl, { max: 60, onnotice: () => {} });
    let rolledBack = 0;
    let toldEarly = 0;
    await inLanes(scene.size(1_000), 60, async (n) => {
      const isEarly = random() < 0.05;
      const key = isEarly ? `t${n}-early` : `t${n}`;
      stage.submits.write({ key, phase: 'invoke' });
      const fate = random();
      const rollback = new Error('rolled back on purpose');
      try {
        const jobId = await sql.begin(async (transaction) => {
          const id = await insertJob(transaction, key);
          if (isEarly) {
            toldEarly += 1;
            if (fate < 0.2) scene.expectedDead += 1; // it never comes to exist; the others must be tried again
            await publishAll(scene, [{ queue: 'default', body: id }]);
          }
          await delay(random() * 2_000);
          if (fate < 0.2) throw rollback;
          return id;
        });
        stage.submits.write({ key, phase: 'ok', jobId });
      } catch (error) {
        if (error !== rollback) throw error;
        rolledBack += 1;
      }
    });
    await sql.end({ timeout: 2 });
    scene.prove('transactions rolled back', rolledBack, rolledBack > 0);
    scene.prove('ids told before their commit', toldEarly, toldEarly > 0);
    scene.healed();
  },
  judge: (scene, { runs }) => {
    const started = new Map(runs.map(({ key, startedAt }) => [key, startedAt]));
    const lagsOf = (isEarly: boolean) =>
      scene.stage.submits.lines.flatMap(({ key, phase, at }) => {
        const startedAt = started.get(key);
        const isOurs = phase === 'ok' && key.endsWith('-early') === isEarly;
        return isOurs && startedAt !== undefined ? [startedAt - at] : [];
      });
    scene.atMost(
      'commit to handler, 99th percentile, ms',
      1_000,
      percentile([...lagsOf(false), ...lagsOf(true)], 0.99),
    );
    scene.figure('lagP99MsOfThoseToldInTime', percentile(lagsOf(false), 0.99) ?? 0);
    scene.figure('lagP99MsOfThoseToldEarly', percentile(lagsOf(true), 0.99) ?? 0);
  },
};

const races: Row = {
  number: 36,
  title: 'Submits race for one key',
  play: async (scene) => {
    const { stage } = scene;
    const { key, answers } = await race(scene, { idempotencyKey: 'one', uniqueKey: undefined });
    const ids = new Set(answers.map(({ id }) => id).filter((id) => id !== undefined));
    scene.prove('submits at once', answers.length, answers.length === 200);
    scene.exactly('jobs made of one Idempotency-Key', 1, ids.size);
    scene.exactly(
      'answers other than 202 or 409',
      0,
      answers.filter(({ status }) => status !== 202 && status !== 409).length,
    );
    const other = await post(scene, { idempotencyKey: 'one', args: { key, ms: 7 } });
    scene.exactly('same key, other body', 422, other.status);
    for (let round = 0; round < 5; round += 1) {
      const unique = await race(scene, { idempotencyKey: undefined, uniqueKey: `u${round}` });
      const made = new Set(unique.answers.map(({ id }) => id));
      scene.exactly(`round ${round}: live jobs of one unique key`, 1, made.size);
      scene.exactly(
        `round ${round}: answers other than 200 or 202`,
        0,
        unique.answers.filter(({ status }) => status !== 200 && status !== 202).length,
      );
    }
    await stage.drain();
    scene.healed();
  },
};

interface Answer {
  status: number;
  id: string | undefined;
}

async function race(
  scene: Scene,
  { idempotencyKey, uniqueKey }: { idempotencyKey: string | undefined; uniqueKey: string | undefined },
): Promise<{ key: string; answers: Answer[] }> {
  const key = `race-${idempotencyKey ?? uniqueKey}`;
  scene.stage.submits.write({ key, phase: 'invoke' });
  const submits = Array.from({ length: 200 }, (_, turn) =>
    post(scene, { idempotencyKey, uniqueKey, args: { key, ms: 2_000 }, turn }),
  );
  const answers = await Promise.all(submits);
  const jobId = answers.find(({ id }) => id !== undefined)?.id;
  if (jobId !== undefined) scene.stage.submits.write({ key, phase: 'ok', jobId });
  return { key, answers };
}

async function post(
  { stage }: Scene,
  options: {
    idempotencyKey?: string | undefined;
    uniqueKey?: string | undefined;
    args: object;
    turn?: number;
  },
): Promise<Answer> {
  const { idempotencyKey, uniqueKey, args, turn = 0 } = options;
  const response = await fetch(`${stage.apis[turn % 2]?.url}/v1/jobs`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    },
    body: JSON.stringify({ type: 'fault-work', args, uniqueKey }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = (await response.json()) as { job?: { id: string } };
  return { status: response.status, id: body.job?.id };
}

export const transactionRows: readonly Row[] = [cutShort, locks, outOfOrder, races];
