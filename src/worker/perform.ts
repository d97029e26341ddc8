/**
 * Runs a handler under a timeout and an abort signal, and says how it ended. A handler that ignores its signal is given up after a grace: its
 * slot is freed, its late result is refused by the fence.
 */
import { isCancel, isSnooze } from '#jobs/define.ts';
import { backoffMs, MAX_TIMER_MS } from '#shared/base/backoff.ts';
import type { ErrorOrigin } from '#shared/base/error-origin.ts';
import { errorOrigin } from '#shared/base/error-origin.ts';
import { errorMessage, InvalidInput, Unavailable } from '#shared/base/errors.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { JobDefinition, JobSettings, ShippedJobContext } from '#shared/job/job.ts';
import { redactEnding } from '#shared/job/redaction.ts';
import type { Events } from '#shared/observe/events.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import { hasLostPostgres } from '#shared/postgres/handler-client.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';
import type { Abort, AbortReason } from './abort.ts';
import { createJobLog } from './job-log.ts';

/** How an attempt ended. `drained`: the process stops; `handlerEnded` false: the handler goes on until the process exits. */
export type Ending =
  /** `outputBytes`: the length of the output as JSON. */
  | { kind: 'succeeded'; output: unknown; outputBytes?: number }
  | { kind: 'snoozed'; delayMs: number }
  | { kind: 'cancelled'; message: string | undefined }
  | { kind: 'failed'; message: string; origin?: ErrorOrigin | undefined }
  /** It took its process down, once too often. */
  | { kind: 'crashed'; message: string }
  | { kind: 'drained'; handlerEnded: boolean };

/** What a handler may take to let go after its signal aborted, in milliseconds. */
const ABORT_GRACE_MS = 400;
/** The wait before a job runs again whose handler met an outage of Warren's own Postgres. */
const OUTAGE_RETRY = { firstMs: 1_000, maxMs: 1_000, jitter: 0.5 };
const MAX_OUTPUT_BYTES = 1_048_576;
/** What Postgres can add to a time, and anybody can wait for: a year. */
const MAX_RETRY_MS = 31_536_000_000;
/** Where a job type's own backoff says nothing usable. */
const DEFAULT_RETRY = { firstMs: 1_000, maxMs: 3_600_000 };

type Settled = { returned: unknown } | { threw: unknown } | 'given-up';

/** What a process has for every attempt that it performs. */
export interface PerformResources {
  /** The application's. */
  services: unknown;
  /** For the job types that ship with Warren. */
  settings: JobSettings;
  /** What the services were made with: whether it has lost Postgres tells an outage from a failure. */
  sql: HandlerClient;
  /** Called in the turn in which the handler starts, after its arguments were checked. Defaults to nothing. */
  started?: () => void;
  events: Events;
}

/** Runs one attempt's handler to its ending. Never rejects. */
export type Perform = typeof perform;

export async function perform(
  definition: JobDefinition,
  claim: Claim,
  abort: Abort,
  resources: PerformResources,
): Promise<Ending> {
  const timeoutMs = Math.min(definition.timeoutMs, MAX_TIMER_MS);
  const timeout = setTimeout(() => abort.abort('timeout'), timeoutMs);
  const handler = settle(definition, claim, toContext(claim, abort, resources), resources.started);
  const settled = await orGivenUp(handler, abort);
  clearTimeout(timeout);
  if (settled === 'given-up') reportAbandoned(resources.events, claim, handler);
  const ending = toEnding(settled, abort.reason, { timeoutMs: definition.timeoutMs, sql: resources.sql });
  return redactEnding(ending, claim.args, definition);
}

/** The outcome to record for an ending. Pure, save for the backoff's jitter. */
export function toOutcome(
  ending: Ending,
  { id, fence, attempt, maxAttempts }: Claim,
  definition: JobDefinition,
): Outcome {
  switch (ending.kind) {
    case 'succeeded':
      return { id, fence, act: 'complete', output: ending.output, outputBytes: ending.outputBytes };
    case 'snoozed':
      return { id, fence, act: 'snooze', delayMs: ending.delayMs };
    case 'cancelled':
      return {
        id,
        fence,
        act: 'stop',
        ...(ending.message === undefined ? {} : { error: ending.message }),
      };
    case 'drained':
      return { id, fence, act: 'handBack' };
    case 'crashed':
      return { id, fence, act: 'crash', error: ending.message };
    case 'failed':
      return {
        id,
        fence,
        ...(attempt >= maxAttempts
          ? { act: 'discard' }
          : { act: 'fail', delayMs: retryMs(definition, attempt) }),
        error: ending.message,
        errorOrigin: ending.origin,
      };
  }
}

/** The job type's own backoff; the default where it throws or names no time: a job must not be lost to its own arithmetic. */
function retryMs(definition: JobDefinition, attempt: number): number {
  try {
    const ms = definition.backoffMs(attempt);
    if (Number.isFinite(ms)) return Math.min(Math.max(ms, 0), MAX_RETRY_MS);
  } catch {
    // Its handler has failed already, and that is what goes into the history.
  }
  return backoffMs(attempt, DEFAULT_RETRY);
}

function toContext(
  claim: Claim,
  abort: Abort,
  { services, settings, events }: PerformResources,
): ShippedJobContext {
  const { id, attempt, maxAttempts, fence, trace } = claim;
  return {
    ...trace,
    jobId: id,
    attempt,
    maxAttempts,
    fence,
    services,
    settings,
    get log() {
      return createJobLog(events, claim); // most handlers never ask
    },
    get signal() {
      return abort.signal;
    },
  };
}

/** Never rejects. Arguments are checked again: the schema may have changed since they were enqueued. */
async function settle(
  definition: JobDefinition,
  claim: Claim,
  context: ShippedJobContext,
  started: PerformResources['started'],
): Promise<Settled> {
  try {
    const parsed = parseArguments(definition, claim.args);
    const args = parsed instanceof Promise ? await parsed : parsed;
    started?.();
    return { returned: await definition.perform(args, context) };
  } catch (error) {
    return { threw: error };
  }
}

/** As the handler settles, or when the attempt was aborted and the grace is over. */
function orGivenUp(handler: Promise<Settled>, abort: Abort): Promise<Settled> {
  return new Promise((resolve) => {
    let grace: NodeJS.Timeout | undefined;
    abort.onAbort = () => {
      grace = setTimeout(resolve, ABORT_GRACE_MS, 'given-up');
    };
    if (abort.reason !== undefined) abort.onAbort();
    void handler.then((settled) => {
      clearTimeout(grace);
      abort.onAbort = undefined;
      resolve(settled);
    });
  });
}

function reportAbandoned(events: Events, { id: jobId, type, trace }: Claim, handler: Promise<Settled>): void {
  events.publish('attempt.abandoned', { ...trace, jobId, type, running: true });
  void handler.then(() => events.publish('attempt.abandoned', { ...trace, jobId, type, running: false }));
}

function toEnding(
  settled: Settled,
  reason: AbortReason | undefined,
  { timeoutMs, sql }: { timeoutMs: number; sql: HandlerClient },
): Ending {
  if (settled !== 'given-up' && 'returned' in settled) return toSuccess(settled.returned);
  if (reason !== undefined) {
    if (reason === 'cancel') return { kind: 'cancelled', message: undefined };
    if (reason === 'drain') return { kind: 'drained', handlerEnded: settled !== 'given-up' };
    return { kind: 'failed', message: `timeout: the attempt took longer than ${timeoutMs} ms` };
  }
  const threw = settled === 'given-up' ? settled : settled.threw;
  if (isOutage(threw, sql)) {
    return { kind: 'snoozed', delayMs: backoffMs(1, OUTAGE_RETRY) }; // our outage, not the job's failure
  }
  return { kind: 'failed', message: explain(threw), origin: errorOrigin(threw) };
}

/** Wrong arguments are told one by one: of its own, or of a job that the handler wanted to enqueue. */
function explain(threw: unknown): string {
  const message = errorMessage(threw);
  if (!(threw instanceof InvalidInput) || threw.issues.length === 0) return message;
  const issues = threw.issues.map(({ pointer, detail }) => `${pointer}: ${detail}`);
  return errorMessage(`${message}: ${issues.join('; ')}`);
}

/** Whether Warren's own Postgres is away, be it for the handler's SQL or for a library call of the handler. */
function isOutage(threw: unknown, sql: HandlerClient): boolean {
  if (threw instanceof Unavailable) return threw.code === 'postgres_unavailable';
  return hasLostPostgres(sql, threw);
}

function toSuccess(returned: unknown): Ending {
  if (isSnooze(returned)) return { kind: 'snoozed', delayMs: returned.delayMs };
  if (isCancel(returned)) return { kind: 'cancelled', message: returned.reason };
  if (returned === undefined) return { kind: 'succeeded', output: undefined };
  try {
    const text = JSON.stringify(returned);
    if (text !== undefined && text.length > MAX_OUTPUT_BYTES) {
      return {
        kind: 'failed',
        message: `the output has ${text.length} characters; at most ${MAX_OUTPUT_BYTES} are kept`,
      };
    }
    return { kind: 'succeeded', output: returned, outputBytes: text?.length };
  } catch (error) {
    return { kind: 'failed', message: `the output is not JSON: ${errorMessage(error)}` };
  }
}
