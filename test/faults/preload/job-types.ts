// The job types of the fault runs. Each run of a handler is written into the effect book before its first wait and after its work.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { defineJob as DefineJob } from '../../../src/jobs/define.ts';
import type { JobContext, JobDefinition } from '../../../src/shared/job/job.ts';
import { EffectWriter } from '../books/effect-writer.ts';

const workArgs = z.object({ key: z.string(), ms: z.number(), how: z.string().optional() });
type WorkArgs = z.output<typeof workArgs>;
type Work = (args: WorkArgs, context: JobContext) => Promise<unknown>;

interface DefineOptions {
  timeoutMs?: number;
  maxAttempts?: number;
  /** What the run is called in the book. Defaults to the key among the arguments. */
  keyOf?: (args: WorkArgs, context: JobContext) => string;
}

const RETRY_MS = 200;

/** The limit `whole`: so many jobs at once. */
export const WHOLE_PLACES = 6;
/** The limit `each`: so many jobs of each of its keys at once. */
export const EACH_PLACES = 2;
/** Of one group of the queue `webhooks`, so many jobs at once. */
export const GROUP_PLACES = 3;

export function faultJobs(defineJob: typeof DefineJob): JobDefinition[] {
  const book = process.env['FAULT_BOOK'];
  if (book === undefined) throw new Error('FAULT_BOOK names the folder of the effect book');
  const writer = new EffectWriter(book);
  const define = (type: string, work: Work, { keyOf, ...options }: DefineOptions = {}) =>
    defineJob({
      type,
      args: workArgs,
      backoffMs: () => RETRY_MS,
      ...options,
      perform: async (args, context) => {
        const key = keyOf === undefined ? args.key : keyOf(args, context);
        const end = writer.start({ key, ...context });
        try {
          return await work(args, context);
        } finally {
          end();
        }
      },
    }) as JobDefinition;
  return [
    define('fault-work', async ({ ms }) => await delay(ms)),
    // each of a schedule's jobs has the arguments of all: its id tells it apart
    define('fault-tick', async ({ ms }) => await delay(ms), {
      keyOf: ({ key }, { jobId }) => `${key}-${jobId}`,
    }),
    define('fault-stubborn', async ({ ms }, { signal }) => await delay(ms, undefined, { signal }), {
      timeoutMs: 600_000,
    }),
    define('fault-second-try', async ({ ms }, { attempt }) => await failFirst(ms, attempt)),
    define('fault-spin', async ({ ms }) => spin(ms)),
    define('fault-poison', async ({ how }) => takeProcessDown(how), { maxAttempts: 10 }),
    define('fault-curable', async () => exitUnlessCured(book), { maxAttempts: 10 }),
    define('fault-transaction', async ({ how }, context) => await endInTransaction(book, how, context)),
    define('fault-misbehave', async ({ how }) => await misbehave(how), { timeoutMs: 1_000, maxAttempts: 2 }),
  ];
}

async function failFirst(ms: number, attempt: number): Promise<void> {
  await delay(ms);
  if (attempt === 1) throw new Error('the first attempt fails');
}

/** Where the worker of a job is killed that ends in a transaction of its own. */
export const killPoints = [
  'before',
  'in',
  'after-effects',
  'between-record-and-commit',
  'after-commit',
] as const;
/** What the file beside the books is called that has a line for each such kill. */
export const KILLS = 'kills';
/** Longer than the record takes, shorter than the commit does, in milliseconds. */
const INTO_COMMIT_MS = 50;

/** Its process is killed at this point, once. */
async function endInTransaction(
  book: string,
  how: string | undefined,
  context: JobContext,
): Promise<unknown> {
  const { jobId, fence } = context;
  const dieAt = (point: (typeof killPoints)[number]) => {
    const mark = join(book, `killed-${jobId}`);
    if (how !== point || existsSync(mark)) return;
    writeFileSync(mark, '');
    appendFileSync(join(book, KILLS), `${point}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
  dieAt('before');
  const output = await context.transaction(async (sql) => {
    await sql`insert into book.effects (job, fence) values (${jobId}, ${fence})`;
    dieAt('in');
    await sql`select 1`;
    dieAt('after-effects');
    setTimeout(dieAt, INTO_COMMIT_MS, 'between-record-and-commit');
    return { fence };
  });
  dieAt('after-commit');
  return output;
}

/** Blocks the event loop. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function takeProcessDown(how: string | undefined): never {
  if (how === 'exit') process.exit(1);
  if (how === 'abort') process.abort();
  const hoard: unknown[] = [];
  for (;;) hoard.push(new Array(100_000).fill(hoard.length));
}

/** The cure is a file beside the books. */
export const CURE = 'cure';

function exitUnlessCured(book: string): void {
  if (!existsSync(join(book, CURE))) process.exit(1);
}

async function misbehave(how: string | undefined): Promise<unknown> {
  if (how === 'throw-undefined') throw undefined;
  if (how === 'throw-string') throw 'only a text';
  if (how === 'throw-circular') throw circularError();
  if (how === 'throw-huge') throw new Error('x'.repeat(5_000_000));
  if (how === 'detached-rejection') {
    void Promise.reject(new Error('nobody waits for this one'));
    return 'done';
  }
  if (how === 'never') return await new Promise(() => {});
  return await new Promise((resolve, reject) => {
    resolve('done');
    reject(new Error('too late'));
  });
}

function circularError(): Error {
  const error = new Error('circular') as Error & { self?: unknown };
  error.self = error;
  error.cause = error;
  return error;
}
