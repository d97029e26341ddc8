import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { cancel, defineJob, snooze } from '../../src/jobs/define.ts';
import { Unavailable } from '../../src/shared/base/errors.ts';
import { noEncryption } from '../../src/shared/job/encryption.ts';
import type { JobContext, JobDefinition } from '../../src/shared/job/job.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { createHandlerClient } from '../../src/shared/postgres/handler-client.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { TransactionClients } from '../../src/shared/postgres/transaction-clients.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import type { AbortReason } from '../../src/worker/abort.ts';
import { Abort } from '../../src/worker/abort.ts';
import type { Ending } from '../../src/worker/ending.ts';
import { toOutcome } from '../../src/worker/ending.ts';
import { createUnrecordedTransactions } from '../../src/worker/own-transaction.ts';
import { perform } from '../../src/worker/perform.ts';
import { testApp } from '../support/test-app.ts';

type Handler = (args: { n: number }, context: JobContext) => Promise<unknown>;

const claim: Claim = {
  id: '7',
  type: 'test-job',
  queue: 'default',
  args: { n: 1 },
  argsBytes: 9,
  attempt: 2,
  maxAttempts: 5,
  claimNumber: 1,
  fence: 3,
  waitMs: 0,
  dueAt: 0,
  crashes: 0,
  trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', requestId: 'r-1' },
};
const place = { url: 'postgres://x:1234/x', name: 'test', max: 1 };
const context = {
  events: new Events(),
  middleware: [],
  encryption: noEncryption,
  services: { mailer: 'of the application' },
  sql: createHandlerClient(place),
  transactions: createUnrecordedTransactions(new TransactionClients(place)),
  settings: readConfig('worker', testApp(), { DATABASE_URL: 'postgres://x/x', AMQP_URL: 'amqp://x' }),
};

function define(handler: Handler, timeoutMs = 60_000): JobDefinition {
  const definition = defineJob({
    type: 'test-job',
    args: z.strictObject({ n: z.number() }),
    timeoutMs,
    backoffMs: (attempt) => attempt * 100,
    perform: handler,
  });
  return definition as JobDefinition;
}

async function run(handler: Handler, abort = new Abort()): Promise<Ending> {
  return await perform(define(handler), claim, abort, context);
}

/** Runs a handler and aborts it, for this reason, as soon as it is at work. */
async function runAborted(reason: AbortReason, handler: Handler): Promise<Ending> {
  const abort = new Abort();
  const ending = run(handler, abort);
  abort.abort(reason);
  return await ending;
}

const letGo: Handler = async (_args, { signal }) => {
  if (!signal.aborted) await once(signal, 'abort');
  signal.throwIfAborted();
};

/** When a timer that is due at once has fired. */
const nextTimers = () => delay(5);

const never: Handler = () => new Promise(() => {});

afterEach(() => {
  vi.useRealTimers();
});

test('a handler is given its arguments and who it is', async () => {
  const seen: unknown[] = [];
  await run(async (args, { jobId, attempt, maxAttempts, fence, traceparent, requestId, ...context }) => {
    const { signal, services } = context;
    seen.push(args, { jobId, attempt, maxAttempts, fence }, { traceparent, requestId });
    seen.push(signal.aborted, services);
  });
  expect(seen).toEqual([
    { n: 1 },
    { jobId: '7', attempt: 2, maxAttempts: 5, fence: 3 },
    claim.trace,
    false,
    context.services,
  ]);
});

test('what a handler logs is told with the job that it belongs to', async () => {
  const lines: object[] = [];
  const unsubscribe = context.events.subscribe('handler.logged', (line) => lines.push(line));
  await run(async (_args, { log }) => {
    log.info('found the customer', { customer: 12 });
    log.warn('no address');
    log.error('no answer', new TypeError('broken', { cause: new Error('before') }));
  });
  unsubscribe();
  const job = { ...claim.trace, jobId: '7', type: 'test-job', attempt: 2 };
  expect(lines).toEqual([
    { ...job, level: 'info', message: 'found the customer', details: { customer: 12 } },
    { ...job, level: 'warn', message: 'no address' },
    {
      ...job,
      level: 'error',
      message: 'no answer',
      error: 'TypeError: broken',
      origin: {
        stack: expect.stringContaining('perform.test.ts'),
        causes: [{ message: 'Error: before', stack: expect.stringContaining('perform.test.ts') }],
      },
    },
  ]);
});

describe('what is returned', () => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;

  test.each<[string, unknown, Ending]>([
    ['an object', { done: true }, { kind: 'succeeded', output: { done: true } }],
    ['null', null, { kind: 'succeeded', output: null }],
    ['nothing', undefined, { kind: 'succeeded', output: undefined }],
    ['a snooze', snooze(500), { kind: 'snoozed', delayMs: 500 }],
    ['a snooze into the past', snooze(-1), { kind: 'snoozed', delayMs: 0 }],
    ['a cancel', cancel('gone'), { kind: 'cancelled', message: 'gone' }],
    ['the largest output', 'x'.repeat(1_048_574), { kind: 'succeeded', output: 'x'.repeat(1_048_574) }],
    [
      'an output that is too large',
      'x'.repeat(1_048_575),
      { kind: 'failed', message: 'the output has 1048577 characters; at most 1048576 are kept' },
    ],
  ])('%s ends the attempt so', async (_, output, ending) => {
    expect(await run(async () => output)).toMatchObject(ending);
  });

  test.each([
    ['a circular object', circular],
    ['a bigint', { n: 1n }],
    [
      'an object that refuses',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
  ])('%s fails the attempt: it is no JSON', async (_, output) => {
    expect(await run(async () => output)).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/^the output is not JSON: /),
    });
  });
});

test.each([
  ['a refused connection', { code: 'ECONNREFUSED', port: 1234 }],
  ['a connection that was lost', { code: 'CONNECTION_CLOSED', query: 'select 1' }],
  ['a server that is shut down', { code: '57P01', query: 'select 1' }],
])('a handler whose SQL meets %s is not charged for it: it runs again', async (_, properties) => {
  const ending = await run(async () => {
    throw Object.assign(new Error('away'), properties);
  });
  expect(ending).toEqual({ kind: 'snoozed', delayMs: expect.any(Number) });
});

test.each([
  ['somebody else who is away', { code: 'ECONNREFUSED', port: 80 }],
  ['a statement that is wrong', { code: '42601', query: 'selct 1' }],
  ['a statement that was cancelled', { code: '57014', query: 'select 1' }],
])('a handler that meets %s has failed', async (_, properties) => {
  const ending = await run(async () => {
    throw Object.assign(new Error('no'), properties);
  });
  expect(ending).toMatchObject({ kind: 'failed', message: 'Error: no' });
});

test('a handler that meets an outage of our own Postgres is not charged for it: it runs again', async () => {
  const outage = await run(async () => {
    throw new Unavailable('postgres_unavailable', 'away');
  });
  expect(outage).toEqual({ kind: 'snoozed', delayMs: expect.any(Number) });
  const own = await run(async () => {
    throw new Unavailable('something_else', 'away');
  });
  expect(own).toMatchObject({ kind: 'failed', message: 'Unavailable: away' });
});

describe('what is thrown', () => {
  test.each([
    ['an error', new TypeError('broken'), 'TypeError: broken'],
    ['nothing', undefined, 'undefined'],
    ['a string', 'broken', 'broken'],
  ])('%s fails the attempt', async (_, thrown, message) => {
    const ending = await run(async () => {
      throw thrown;
    });
    expect(ending).toMatchObject({ kind: 'failed', message });
  });

  test('has its stack and its causes', async () => {
    const ending = await run(async () => {
      throw new TypeError('broken', { cause: new Error('before') });
    });
    expect(ending).toMatchObject({
      origin: {
        stack: expect.stringContaining('perform.test.ts'),
        causes: [{ message: 'Error: before', stack: expect.stringContaining('perform.test.ts') }],
      },
    });
  });

  test('at once, before there is a promise, fails the attempt too', async () => {
    const ending = await run(() => {
      throw new Error('at once');
    });
    expect(ending).toMatchObject({ kind: 'failed', message: 'Error: at once' });
  });
});

test('arguments that no longer fit fail the attempt, and the handler does not run', async () => {
  let runs = 0;
  const definition = define(async () => {
    runs += 1;
  });
  const ending = await perform(definition, { ...claim, args: { m: 1 } }, new Abort(), context);
  expect(ending).toMatchObject({
    kind: 'failed',
    message: expect.stringMatching(
      /^InvalidInput: the arguments do not fit job type "test-job": \/args\/n: .*; \/args\/m: there is no such member$/,
    ),
  });
  expect(runs).toBe(0);
});

describe('an abort', () => {
  test.each<[AbortReason, Ending]>([
    ['cancel', { kind: 'cancelled', message: undefined }],
    ['drain', { kind: 'drained', handlerEnded: true }],
    ['timeout', { kind: 'failed', message: 'timeout: the attempt took longer than 60000 ms' }],
  ])('for %s ends the attempt of a handler that lets go', async (reason, ending) => {
    expect(await runAborted(reason, letGo)).toEqual(ending);
  });

  test('comes at the timeout by itself', async () => {
    const definition = define(letGo, 5);
    expect(await perform(definition, claim, new Abort(), context)).toEqual({
      kind: 'failed',
      message: 'timeout: the attempt took longer than 5 ms',
    });
  });

  test('does not come at once where the timeout is longer than a timer can be', async () => {
    const definition = define(async (_args, { signal }) => {
      await nextTimers();
      return signal.aborted;
    }, Number.POSITIVE_INFINITY);
    expect(await perform(definition, claim, new Abort(), context)).toMatchObject({
      kind: 'succeeded',
      output: false,
    });
  });

  test.each<[AbortReason, Ending]>([
    ['cancel', { kind: 'cancelled', message: undefined }],
    ['drain', { kind: 'drained', handlerEnded: false }],
    ['timeout', { kind: 'failed', message: 'timeout: the attempt took longer than 60000 ms' }],
  ])('for %s gives up a handler that ignores it', async (reason, ending) => {
    expect(await runAborted(reason, never)).toEqual(ending);
  });

  test.each<[AbortReason, Ending]>([
    ['cancel', { kind: 'cancelled', message: undefined }],
    ['drain', { kind: 'drained', handlerEnded: true }],
    ['timeout', { kind: 'failed', message: 'timeout: the attempt took longer than 60000 ms' }],
  ])('for %s while the arguments are checked keeps the handler from starting', async (reason, ending) => {
    const checked = Promise.withResolvers<void>();
    const calls: string[] = [];
    const definition = defineJob({
      type: 'test-job',
      args: z.strictObject({ n: z.number() }).refine(async () => {
        await checked.promise;
        return true;
      }),
      timeoutMs: 60_000,
      perform: async () => calls.push('handler'),
    }) as JobDefinition;
    const abort = new Abort();
    const started = () => calls.push('started');
    const performed = perform(definition, claim, abort, { ...context, started });
    abort.abort(reason);
    checked.resolve();
    expect(await performed).toEqual(ending);
    expect(calls).toEqual([]);
  });

  test('does not spoil the success of a handler that finishes all the same', async () => {
    const ending = await runAborted('drain', async (_args, { signal }) => {
      if (!signal.aborted) await once(signal, 'abort');
      return 'finished';
    });
    expect(ending).toMatchObject({ kind: 'succeeded', output: 'finished' });
  });
});

test('a handler that was given up is reported when it goes on and when it ends; its late failure harms nobody', async () => {
  const reports: boolean[] = [];
  const released = Promise.withResolvers<never>();
  const ended = Promise.withResolvers<void>();
  const unsubscribe = context.events.subscribe('attempt.abandoned', ({ jobId, running }) => {
    expect(jobId).toBe('7');
    reports.push(running);
    if (!running) ended.resolve();
  });
  await runAborted('timeout', () => released.promise);
  expect(reports).toEqual([true]);
  released.reject(new Error('late')); // vitest fails the run at an unhandled rejection
  await ended.promise;
  expect(reports).toEqual([true, false]);
  unsubscribe();
});

test('an attempt leaves no timer behind, and a late abort finds nobody', async () => {
  vi.useFakeTimers();
  const abort = new Abort();
  await run(async () => 'done', abort);
  expect(vi.getTimerCount()).toBe(0);
  abort.abort('drain');
  expect(vi.getTimerCount()).toBe(0);
});

test('a handler that asks for its signal after the abort finds it aborted, with the first reason', async () => {
  const abort = new Abort();
  const ending = run(async (_args, context) => {
    abort.abort('cancel');
    abort.abort('drain');
    expect(context.signal).toMatchObject({ aborted: true, reason: 'cancel' });
    context.signal.throwIfAborted();
  }, abort);
  expect(await ending).toEqual({ kind: 'cancelled', message: undefined });
});

describe('the outcome', () => {
  const definition = define(async () => {});
  const own = { id: '7', fence: 3 };

  test.each<[Ending, object]>([
    [
      { kind: 'succeeded', output: { a: 1 } },
      { ...own, act: 'complete', output: { a: 1 } },
    ],
    [
      { kind: 'snoozed', delayMs: 9 },
      { ...own, act: 'snooze', delayMs: 9 },
    ],
    [
      { kind: 'cancelled', message: undefined },
      { ...own, act: 'stop' },
    ],
    [
      { kind: 'cancelled', message: 'gone' },
      { ...own, act: 'stop', error: 'gone' },
    ],
    [
      { kind: 'drained', handlerEnded: true },
      { ...own, act: 'handBack' },
    ],
    [
      { kind: 'drained', handlerEnded: false },
      { ...own, act: 'handBack' },
    ],
    [
      { kind: 'failed', message: 'no' },
      { ...own, act: 'fail', delayMs: 200, error: 'no' },
    ],
  ])('of %o is %o', (ending, outcome) => {
    expect(toOutcome(ending, claim, definition)).toEqual(outcome);
  });

  test.each([
    ['a negative wait', -5, 0, 0],
    ['a wait that Postgres could not add', 1e300, 31_536_000_000, 31_536_000_000],
    ['no number', Number.NaN, 1_600, 2_400],
    ['no end', Number.POSITIVE_INFINITY, 1_600, 2_400],
  ])('of a job type whose backoff gives %s is a retry after a sane one', (_, ms, least, most) => {
    const odd = { ...definition, backoffMs: () => ms };
    const { delayMs } = toOutcome({ kind: 'failed', message: 'no' }, claim, odd);
    expect(delayMs).toBeGreaterThanOrEqual(least);
    expect(delayMs).toBeLessThanOrEqual(most);
  });

  test('of a job type whose backoff throws is a retry with the failure of the handler', () => {
    const broken: JobDefinition = {
      ...definition,
      backoffMs: () => {
        throw new Error('in the backoff');
      },
    };
    expect(toOutcome({ kind: 'failed', message: 'no' }, claim, broken)).toEqual({
      ...own,
      act: 'fail',
      delayMs: expect.any(Number),
      error: 'no',
    });
  });

  test('of the last failed attempt is discarded', () => {
    const ending: Ending = { kind: 'failed', message: 'no' };
    const expected = { ...own, act: 'discard', error: 'no' };
    expect(toOutcome(ending, { ...claim, attempt: 5 }, definition)).toEqual(expected);
    expect(toOutcome(ending, { ...claim, attempt: 6 }, definition)).toEqual(expected);
  });
});
