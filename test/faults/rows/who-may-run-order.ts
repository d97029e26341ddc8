// Rows 46 and 48: workers are killed and both servers restarted while jobs of one key wait for each other, and while submits race for unique keys.
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { spanOf } from '../books/at-once.ts';
import type { Run } from '../books/effect-book.ts';
import { killUnderLoad } from '../stage/kills-and-restart.ts';
import type { Row, Scene } from '../stage/scene.ts';

const ORDERS = 8;

const order: Row = {
  number: 46,
  title: 'Workers are killed twenty times and both servers restarted while jobs run in order',
  allowsExtraRuns: true,
  maxAmplification: 4,
  play: async (scene) => {
    // One lane for each key: what it submits has an order.
    const lanes = Array.from({ length: ORDERS }, (_, lane) => ({
      paceMs: 250,
      next: (n: number) => ({
        type: n % 4 === 0 ? 'fault-second-try' : 'fault-work',
        ms: 100,
        queue: 'default',
        orderingKey: `order-${lane}`,
      }),
    }));
    await killUnderLoad(scene, lanes);
  },
  judge: (scene, { runs }) => {
    const ends = scene.stage.ends();
    const runsByKey = Map.groupBy(runs, ({ key }) => key);
    const submissions = [...scene.load.submissions].map(([key, { orderingKey }]) => ({ key, orderingKey }));
    let retries = 0;
    const early: string[] = [];
    for (const jobs of Map.groupBy(submissions, ({ orderingKey }) => orderingKey).values()) {
      let before = { key: '', endedAt: 0 };
      for (const { key } of jobs) {
        const spans = (runsByKey.get(key) ?? []).map((run) => spanOf(run, ends));
        const startedAt = Math.min(...spans.map(({ from }) => from));
        if (startedAt < before.endedAt) early.push(`${key} before the end of ${before.key}`);
        before = { key, endedAt: Math.max(before.endedAt, ...spans.map(({ to }) => to)) };
        retries += Math.max(0, spans.length - 1);
      }
    }
    describeNone(scene, 'jobs that start before the end of the one before them', early);
    scene.prove('runs again of a job that others wait for', retries, retries > 0);
  },
};

const UNIQUE_KEYS = 6;
/** Of the commit that ends the holder: a submit that came before it finds the holder alive. */
const MAX_COMMIT_MS = 5_000;

const uniqueness: Row = {
  number: 48,
  title: 'Workers are killed twenty times and both servers restarted while submits race for unique keys',
  allowsExtraRuns: true,
  maxAmplification: 4,
  play: async (scene) => {
    await watchBirths(scene);
    const lanes = Array.from({ length: 3 * UNIQUE_KEYS }, (_, lane) => ({
      paceMs: 50,
      next: () => ({ ms: 200, queue: 'default', unique: { key: `unique-${lane % UNIQUE_KEYS}` } }),
    }));
    await killUnderLoad(scene, lanes);
  },
  judge: async (scene, { runs }) => {
    const lives = await readLives(scene);
    const uniqueKeyOf = (key: string | undefined) => scene.load.submissions.get(key ?? '')?.unique?.key;
    const together: string[] = [];
    for (const jobs of Map.groupBy(lives.values(), ({ key }) => uniqueKeyOf(key)).values()) {
      const sorted = jobs.toSorted((a, b) => a.from - b.from);
      for (const [index, { key, to }] of sorted.entries())
        if ((sorted[index + 1]?.from ?? Infinity) < to) together.push(`${key} and ${sorted[index + 1]?.key}`);
    }
    describeNone(scene, 'two live jobs of one key', together);
    describeNone(scene, 'two jobs of one key that run', findRunsTogether(scene, runs));
    const { lines } = scene.stage.submits;
    const invokedAt = new Map(lines.flatMap(({ key, phase, at }) => (phase === 'invoke' ? [[key, at]] : [])));
    const accepted = lines.filter(({ phase }) => phase === 'ok' || phase === 'kept');
    const wrong = accepted.filter(({ key, jobId }) => {
      const winner = lives.get(jobId ?? '');
      return (
        winner === undefined ||
        uniqueKeyOf(winner.key) !== uniqueKeyOf(key) ||
        winner.to < (invokedAt.get(key) ?? Infinity) - MAX_COMMIT_MS
      );
    });
    describeNone(
      scene,
      'answers that name no live winner',
      wrong.map(({ key, jobId }) => `${key}: ${jobId}`),
    );
    scene.exactly('submits without an answer that says yes', 0, invokedAt.size - accepted.length);
    scene.figure('submits that another job has won', accepted.filter(({ phase }) => phase === 'kept').length);
    const racing = countRacing(scene, runs, invokedAt);
    scene.prove('submits that came while a job of their key ran', racing, racing > 0);
  },
};

interface Life {
  key: string;
  /** Monotonic milliseconds, by the database's clock, which is this machine's. */
  from: number;
  to: number;
}

/** Noted in the transaction that inserts the job, when it is past the unique index: no earlier than the commit that has freed the key. */
async function watchBirths({ stage }: Scene): Promise<void> {
  await stage.sql(
    async (sql) =>
      await sql.unsafe(`
        create table book.births (job_id bigint not null, at timestamptz not null default clock_timestamp());
        create function book.note_birth() returns trigger language plpgsql as $$
          begin insert into book.births (job_id) values (new.id); return null; end $$;
        create trigger born after insert on warren.jobs for each row execute function book.note_birth();`),
  );
}

/** From birth to completion, by job; nothing has ended otherwise where nothing was lost. */
async function readLives({ stage }: Scene): Promise<Map<string, Life>> {
  const rows = await stage.sql(
    async (sql) =>
      await sql<{ id: string; key: string; from: number; to: number }[]>`
        select job.id, job.args->>'key' as key, extract(epoch from birth.at)::float8 * 1000 as "from",
          extract(epoch from accepted.at)::float8 * 1000 as "to"
        from warren.jobs job join book.births birth on birth.job_id = job.id join book.acceptances accepted on accepted.job_id = job.id`,
  );
  const offset = Date.now() - monotonicMs();
  return new Map(rows.map(({ id, key, from, to }) => [id, { key, from: from - offset, to: to - offset }]));
}

function findRunsTogether(scene: Scene, runs: readonly Run[]): string[] {
  const ends = scene.stage.ends();
  const byUniqueKey = Map.groupBy(runs, ({ key }) => scene.load.submissions.get(key)?.unique?.key);
  return [...byUniqueKey.values()].flatMap((same) => {
    const sorted = same
      .map((run) => ({ ...spanOf(run, ends), jobId: run.jobId }))
      .toSorted((a, b) => a.from - b.from);
    return sorted.flatMap(({ jobId, to }, index) => {
      const next = sorted[index + 1];
      return next !== undefined && next.jobId !== jobId && next.from < to
        ? [`${jobId} and ${next.jobId}`]
        : [];
    });
  });
}

function countRacing(scene: Scene, runs: readonly Run[], invokedAt: ReadonlyMap<string, number>): number {
  const ends = scene.stage.ends();
  const uniqueKeyOf = (key: string) => scene.load.submissions.get(key)?.unique?.key;
  const runsByUniqueKey = Map.groupBy(
    runs.map((run) => ({ ...spanOf(run, ends), key: run.key })),
    ({ key }) => uniqueKeyOf(key),
  );
  return [...invokedAt].filter(([key, at]) =>
    runsByUniqueKey.get(uniqueKeyOf(key))?.some(({ from, to }) => from < at && at < to),
  ).length;
}

function describeNone(scene: Scene, name: string, found: readonly string[]): void {
  const seen = found.length === 0 ? 0 : `${found.length}: ${found.slice(0, 5).join(', ')}`;
  scene.check(name, '= 0', seen, found.length === 0);
}

export const orderRows: readonly Row[] = [order, uniqueness];
