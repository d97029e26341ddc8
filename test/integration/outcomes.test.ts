import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancel, snooze } from '../../src/jobs/define.ts';
import type { Worker } from '../../src/worker/worker.ts';
import { readyCount } from '../support/broker.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

let fleet: Fleet;
let worker: Worker;
const runs = new Map<string, number>();

/** What the handler is to do, by the `do` of its arguments; `run` counts from 1. */
const handlers: Record<string, (run: number, attempt: number) => unknown> = {
  output: () => ({ text: 'naïve 😀', big: 2 ** 53, list: [1, null, { deep: true }] }),
  nothing: () => undefined,
  snooze: (run) => (run < 3 ? snooze(10) : { ran: run }),
  'snooze after a failure': (run, attempt) => {
    if (attempt === 1) throw new Error('first');
    return run === 2 ? snooze(0) : 'done';
  },
  cancel: () => cancel('the order is gone'),
  nul: () => ({ text: 'a\u0000b' }),
  surrogate: (_run, attempt) => (attempt < 2 ? '\ud800' : 'mended'),
  mutated: () => ({ toJSON: () => 'as JSON' }),
};

beforeAll(async () => {
  fleet = await startFleet(
    testJob(async (args, { jobId, attempt }) => {
      const run = (runs.get(jobId) ?? 0) + 1;
      runs.set(jobId, run);
      return handlers[String(args['do'])]?.(run, attempt);
    }),
  );
  worker = await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const run = async (what: string) => fleet.until(await fleet.enqueue({ do: what }, { maxAttempts: 3 }));

test('what a handler returns is kept as the output of its job', async () => {
  expect(await run('output')).toMatchObject({
    state: 'completed',
    output: { text: 'naïve 😀', big: 2 ** 53, list: [1, null, { deep: true }] },
  });
  expect(await run('nothing')).toMatchObject({ state: 'completed', output: null });
  expect(await run('mutated')).toMatchObject({ state: 'completed', output: 'as JSON' });
});

test('a snoozed job runs again and is not charged', async () => {
  expect(await run('snooze')).toMatchObject({
    state: 'completed',
    attempt: 1,
    output: { ran: 3 },
    errors: [],
  });
  expect(await run('snooze after a failure')).toMatchObject({
    state: 'completed',
    attempt: 2,
    output: 'done',
  });
});

test('a handler that cancels its job ends it, with the reason in the history', async () => {
  const job = await run('cancel');
  expect(job).toMatchObject({ state: 'cancelled', attempt: 1 });
  expect(job.errors).toMatchObject([{ attempt: 1, message: 'the order is gone' }]);
  expect(runs.get(job.id)).toBe(1);
});

test('an output that Postgres cannot store fails the attempt and is not written for ever', async () => {
  const hopeless = await run('nul');
  expect(hopeless).toMatchObject({ state: 'discarded', attempt: 3, output: null });
  expect(hopeless.errors).toHaveLength(3);
  expect(hopeless.errors[0]?.message).toMatch(/^the outcome cannot be stored: /);
  expect(runs.get(hopeless.id)).toBe(3);
  expect(await run('surrogate')).toMatchObject({ state: 'completed', attempt: 2, output: 'mended' });
});

test('an outcome that cannot be stored does not hurt those that are recorded with it', async () => {
  const all = await Promise.all(
    Array.from({ length: 30 }, (_, index) => run(index === 13 ? 'nul' : 'output')),
  );
  expect(all.map(({ state }) => state)).toEqual(
    all.map((_, index) => (index === 13 ? 'discarded' : 'completed')),
  );
  await fleet.stopWorker(worker);
  expect(await readyCount(fleet.vhost, 'warren.default')).toBe(0); // nothing was left to be delivered again
});
