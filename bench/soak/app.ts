// The application of the soak, for the real programs (WARREN_APP): a job type for each thing that a job may use.
// SOAK_FOLDER names the folder of the ledger: handlers note there which jobs they have done, the archive which jobs are about to be deleted.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { JobContext } from '../../src/app.ts';
import { cancel, defineApp, defineJob, defineSchedule } from '../../src/app.ts';
import { LedgerWriter } from './ledger-writer.ts';

const ledger = new LedgerWriter(process.env['SOAK_FOLDER'] ?? '.');

/** How long a type's jobs are kept whose retention is its own. The others go by the settings. */
const KEPT_MS = 30_000;
const PLACES = 8;
const PLACES_OF_EACH = 3;
const RUNNING_OF_GROUP = 5;
const CUSTOMERS = 20;
const JOBS_OF_A_CUSTOMER = 500;

const numbered = z.object({ n: z.int() });
type Numbered = z.output<typeof numbered>;

const expiring = work('soak-expiring', { expiresInMs: 2_000, retention: { discarded: KEPT_MS } });
const hopeless = defineJob({
  type: 'soak-hopeless',
  args: numbered,
  maxAttempts: 2,
  backoffMs: () => 500,
  retention: { discarded: KEPT_MS },
  perform: async ({ n }) => {
    throw new Error(`job ${n} never succeeds`);
  },
});
const large = defineJob({
  type: 'soak-large',
  args: numbered.extend({ text: z.string() }),
  perform: async ({ n, text }, { jobId }) => {
    ledger.done(jobId);
    return { n, characters: text.length };
  },
});
const retried = defineJob({
  type: 'soak-retried',
  args: numbered,
  maxAttempts: 5,
  backoffMs: (attempt) => attempt * 300,
  perform: async ({ n }, { attempt, jobId }) => {
    if (attempt <= 1 + (n % 2)) throw new Error(`attempt ${attempt} fails`);
    ledger.done(jobId);
  },
});
const talkative = defineJob({
  type: 'soak-talkative',
  args: numbered,
  perform: async ({ n }, { jobId, log, progress }) => {
    for (let step = 1; step <= 3; step += 1) {
      log.warn(`step ${step} of job ${n}`);
      progress(step / 3, `${step} of 3`);
      await delay(20);
    }
    ledger.done(jobId);
  },
});
const tick = work('soak-tick');
const unique = defineJob({
  type: 'soak-unique',
  args: numbered,
  unique: ({ n }) => uniqueOf(n),
  perform: async ({ n }, context) => await perform({ n }, context),
});
const withdrawn = defineJob({
  type: 'soak-withdrawn',
  args: numbered,
  retention: { cancelled: KEPT_MS },
  perform: async () => cancel('there is nothing to do'),
});
const transacted = defineJob({
  type: 'soak-transacted',
  args: numbered,
  perform: async ({ n }, { jobId, transaction }) =>
    await transaction(async (sql) => {
      const [row] = await sql`select ${n}::int as n`;
      ledger.done(jobId);
      return row;
    }),
});

export const app = defineApp({
  name: 'soak',
  queues: {
    default: { channels: 2, prefetch: 20 },
    grouped: { channels: 1, prefetch: 20, groups: { maxRunning: RUNNING_OF_GROUP, weights: { g0: 3 } } },
    ordered: { channels: 1, prefetch: 20, onDiscard: 'continue' },
  },
  limits: { whole: { concurrency: PLACES }, each: { concurrency: PLACES_OF_EACH } },
  jobs: [
    work('soak-plain'),
    work('soak-scheduled'),
    work('soak-urgent'),
    work('soak-limited', { limits: ({ n }) => ['whole', `each:${customer(n)}`] }),
    work('soak-grouped', { queue: 'grouped', group: ({ n }) => `g${customer(n)}` }),
    work('soak-ordered', { queue: 'ordered', orderingKey: ({ n }) => `key ${customer(n)}` }),
    work('soak-member'),
    work('soak-callback'),
    expiring,
    hopeless,
    large,
    retried,
    talkative,
    tick,
    transacted,
    unique,
    withdrawn,
  ],
  schedules: [defineSchedule({ name: 'soak-ticks', cron: '* * * * * *', job: tick, args: { n: 0 } })],
  archive: async (jobs) => ledger.archived(jobs),
  module: import.meta.url,
});

type WorkOptions = Pick<
  Parameters<typeof defineJob<typeof numbered>>[0],
  'queue' | 'limits' | 'group' | 'orderingKey' | 'expiresInMs' | 'retention'
>;

/** Waits up to four milliseconds, as a call to something near does. */
function work(type: string, options: WorkOptions = {}) {
  return defineJob({ type, args: numbered, ...options, perform });
}

async function perform({ n }: Numbered, { jobId }: JobContext): Promise<void> {
  await delay(n % 5);
  ledger.done(jobId);
}

/** A few at a time, and others as time goes on: what is kept for a customer who has left must not add up. */
function customer(n: number): number {
  return (n % CUSTOMERS) + Math.floor(n / JOBS_OF_A_CUSTOMER) * CUSTOMERS;
}

/** One key is held in each of the three ways, so that jobs of each meet. */
function uniqueOf(n: number) {
  const key = `key ${n % 60}`;
  if (n % 3 === 0) return { key, for: 'live', onConflict: 'keep' } as const;
  if (n % 3 === 1) return { key, for: 'waiting', onConflict: 'merge' } as const;
  return { key, for: { ms: 2_000 } } as const;
}
