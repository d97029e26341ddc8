// What thinning out finished rows takes from the throughput: jobs live through insert, claim and record on four connections, with the pruner at work and without, in turn.
import postgres from 'postgres';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import { createPruner } from '../../src/worker/maintenance/pruner.ts';
import { median } from '../report/statistics.ts';

const CONNECTIONS = 4;
const GROUP = 32;
const ROUND_MS = 5_000;
const ROUNDS = 6;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export interface Pruning {
  rows: number;
  /** Jobs per second. */
  alone: number;
  withPruner: number;
  /** The median of the rounds: with the pruner against the round without beside it. */
  ratio: number;
  deletedPerSecond: number;
  tableBytesBefore: number;
  tableBytesAfter: number;
}

export async function measurePruning(databaseUrl: string, rows: number): Promise<Pruning> {
  const sql = postgres(databaseUrl, { max: CONNECTIONS, fetch_types: false, onnotice: () => {} });
  const database = new Database({ url: databaseUrl, name: 'pruner', min: 1, max: 1, events: new Events() });
  try {
    await sql`truncate warren.jobs`;
    await sql`
      insert into warren.jobs (type, queue, state, max_attempts, args, created_at, started_at, finished_at, published_at, output)
      select 'greet', 'default', 'completed', 5, jsonb_build_object('orderId', n, 'note', repeat('x', 100)), past, past, past, past, '{"ok": true}'
      from generate_series(1, ${rows}) as n, lateral (select now() - interval '8 days' as past) as life`;
    await sql`vacuum (analyze) warren.jobs`;
    const tableBytesBefore = await bytesOf(sql);
    const alone: number[] = [];
    const pruned: number[] = [];
    let [deleted, prunedMs] = [0, 0];
    for (let round = 0; round < ROUNDS; round += 1) {
      alone.push(await throughput(sql));
      const before = await leftOf(sql);
      const pruning = prune(database);
      const startedAt = performance.now();
      pruned.push(await throughput(sql));
      await pruning.stop();
      prunedMs += performance.now() - startedAt;
      deleted += before - (await leftOf(sql));
    }
    return {
      rows,
      alone: median(alone),
      withPruner: median(pruned),
      ratio: median(pruned.map((perSecond, round) => perSecond / (alone[round] ?? Number.NaN))),
      deletedPerSecond: (deleted / prunedMs) * 1_000,
      tableBytesBefore,
      tableBytesAfter: await bytesOf(sql),
    };
  } finally {
    await database.stop();
    await sql.end();
  }
}

/** As the leader runs it: a round, then the rest that it asks for. */
function prune(database: Database): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  const round = createPruner({
    onFreed: () => {},
    database,
    events: new Events(),
    retention: { completed: 7 * DAY_MS, cancelled: 30 * DAY_MS, discarded: 30 * DAY_MS },
    idempotencyKeyMs: DAY_MS,
  });
  const loop = async () => {
    while (!stopping.signal.aborted) {
      const restMs = await round();
      if (restMs === HOUR_MS) break;
      await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  };
  const done = loop();
  return {
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

async function throughput(sql: postgres.Sql): Promise<number> {
  const startedAt = performance.now();
  let jobs = 0;
  const live = async (owner: string) => {
    const connection = await sql.reserve();
    try {
      while (performance.now() - startedAt < ROUND_MS) {
        await liveThrough(connection, owner);
        jobs += GROUP;
      }
    } finally {
      connection.release();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => live(String(index + 1))));
  return (jobs / (performance.now() - startedAt)) * 1_000;
}

async function liveThrough(sql: postgres.Sql, owner: string): Promise<void> {
  const job = {
    type: 'greet',
    queue: 'default',
    args: JSON.stringify({ orderId: 1, note: 'x'.repeat(100) }),
    maxAttempts: 5,
  };
  const inserted = await insertJobs(sql, Array.from({ length: GROUP }, () => job) as never);
  const ids = inserted.map(({ id }) => id);
  const claims = await claimJobs(sql, ids, { owner, claimNumber: 1, types: '{greet}', queue: 'default' });
  const outcomes = claims.map(({ id, fence }) => ({
    id,
    fence,
    act: 'complete' as const,
    output: { ok: true },
  }));
  await recordOutcomes(sql, outcomes, [owner]);
}

async function bytesOf(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ bytes: string }[]>`select pg_total_relation_size('warren.jobs') as bytes`;
  return Number(row?.bytes);
}

async function leftOf(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ jobs: string }[]>`
    select count(*) as jobs from warren.jobs where finished_at < now() - interval '7 days'`;
  return Number(row?.jobs);
}
