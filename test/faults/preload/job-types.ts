// The job types of the fault runs. Each run of a handler is written into the effect book before its first wait and after its work.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { defineJob as DefineJob } from '../../../src/jobs/define.ts';
import type { JobContext, JobDefinition } from '../../../src/shared/job/job.ts';
import { EffectWriter } from '../books/effect-writer.ts';

const workArgs = z.object({ key: z.string(), ms: z.number(), how: z.string().optional() });
type WorkArgs = z.output<typeof workArgs>;
type Work = (args: WorkArgs, context: JobContext) => Promise<unknown>;

const RETRY_MS = 200;

export function faultJobs(defineJob: typeof DefineJob): JobDefinition[] {
  const book = process.env['FAULT_BOOK'];
  if (book === undefined) throw new Error('FAULT_BOOK names the folder of the effect book');
  const writer = new EffectWriter(book);
  const define = (type: string, work: Work, options: { timeoutMs?: number; maxAttempts?: number } = {}) =>
    defineJob({
      type,
      args: workArgs,
      backoffMs: () => RETRY_MS,
      ...options,
      perform: async (args, context) => {
        const end = writer.start({ key: args.key, ...context });
        try {
          return await work(args, context);
        } finally {
          end();
        }
      },
    }) as JobDefinition;
  return [
    define('fault-work', async ({ ms }) => await delay(ms)),
    define('fault-stubborn', async ({ ms }, { signal }) => await delay(ms, undefined, { signal }), {
      timeoutMs: 600_000,
    }),
    define('fault-spin', async ({ ms }) => spin(ms)),
    define('fault-poison', async ({ how }) => takeProcessDown(how), { maxAttempts: 10 }),
    define('fault-curable', async () => exitUnlessCured(book), { maxAttempts: 10 }),
    define('fault-misbehave', async ({ how }) => await misbehave(how), { timeoutMs: 1_000, maxAttempts: 2 }),
  ];
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
