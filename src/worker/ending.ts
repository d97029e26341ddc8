/**
 * How an attempt ended, from what became of its handler, and the outcome that is recorded for it. Pure, save for the jitter of the waits.
 *
 * Guarantees: an outage of Warren's own Postgres is not the job's failure; a job is not lost to an output that is no JSON, nor to a backoff that says
 * nothing usable. Must not know how the handler was run.
 */
import { isCancel, isSnooze } from '#jobs/define.ts';
import { backoffMs } from '#shared/base/backoff.ts';
import type { ErrorOrigin } from '#shared/base/error-origin.ts';
import { errorOrigin } from '#shared/base/error-origin.ts';
import { errorMessage, InvalidInput, Unavailable } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import { hasLostPostgres } from '#shared/postgres/handler-client.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome, RecordedJob } from '#shared/postgres/statements/record.ts';
import type { AbortReason } from './abort.ts';
import type { RetryDecision } from './retry-policy.ts';
import { decideRetry } from './retry-policy.ts';

/** What became of a handler. `given-up`: it was aborted and has not let go in time; it may go on. */
export type Settled =
  | { kind: 'returned'; value: unknown }
  | { kind: 'threw'; error: unknown }
  | { kind: 'given-up' };

/** How an attempt ended. `drained`: the process stops; `handlerEnded` false: the handler goes on until the process exits. */
export type Ending =
  /** `outputBytes`: the length of the output as JSON. */
  | { kind: 'succeeded'; output: unknown; outputBytes?: number }
  /** `message`: why, where nobody has asked for it. */
  | { kind: 'snoozed'; delayMs: number; message?: string }
  | { kind: 'cancelled'; message: string | undefined }
  /** `retry`: what the job type says of this error (retry-policy.ts). */
  | { kind: 'failed'; message: string; origin?: ErrorOrigin | undefined; retry?: RetryDecision }
  /** It took its process down, once too often. */
  | { kind: 'crashed'; message: string }
  | { kind: 'drained'; handlerEnded: boolean }
  /** Its own transaction has recorded the outcome. */
  | ({ kind: 'committed' } & Committed);

/** An outcome that a job's own transaction has recorded, and what the job is then. */
export interface Committed {
  outcome: Outcome;
  recorded: RecordedJob;
}

/** The wait before a job runs again whose handler met an outage of Warren's own Postgres. */
const OUTAGE_RETRY = { firstMs: 1_000, maxMs: 1_000, jitter: 0.5 };
const MAX_OUTPUT_BYTES = 1_048_576;
/** What Postgres can add to a time, and anybody can wait for: a year. */
const MAX_RETRY_MS = 31_536_000_000;
/** Where a job type's own backoff says nothing usable. */
const DEFAULT_RETRY = { firstMs: 1_000, maxMs: 3_600_000 };

export interface EndingContext {
  /** What the attempt was given, in milliseconds. */
  timeoutMs: number;
  attempt: number;
  definition: Pick<JobDefinition, 'retry'>;
  sql: HandlerClient;
}

/** The ending of an attempt whose handler settled so. `reason`: why it was aborted, if it was; only then is a handler given up. */
export function toEnding(
  settled: Settled,
  reason: AbortReason | undefined,
  { timeoutMs, attempt, definition, sql }: EndingContext,
): Ending {
  if (settled.kind === 'returned') return toSuccess(settled.value);
  if (settled.kind === 'threw' && reason === undefined)
    return toFailure(settled.error, { sql, definition, attempt });
  if (reason === 'cancel') return { kind: 'cancelled', message: undefined };
  if (reason === 'lost') return { kind: 'drained', handlerEnded: true }; // whatever is recorded now is refused
  if (reason === 'drain') return { kind: 'drained', handlerEnded: settled.kind === 'threw' };
  return { kind: 'failed', message: `timeout: the attempt took longer than ${timeoutMs} ms` };
}

/** The outcome to record for an ending, `elapsedMs` after the claim. Pure, save for the backoff's jitter. */
export function toOutcome(ending: Ending, claim: Claim, definition: JobDefinition, elapsedMs = 0): Outcome {
  if (ending.kind === 'committed') return ending.outcome;
  const outcome = chooseOutcome(ending, claim, definition);
  const { leftMs = null } = claim;
  return leftMs === null ? outcome : endInTime(outcome, leftMs - elapsedMs);
}

/** What would run again only after its time over all attempts is discarded now, be it failed or snoozed: nobody has to wait for its end. */
function endInTime(outcome: Outcome, leftMs: number): Outcome {
  const { delayMs, error, ...others } = outcome;
  if (delayMs === undefined || delayMs < leftMs) return outcome;
  const reason = 'the next attempt would begin after its time over all attempts';
  return {
    ...others,
    act: 'discard',
    error: error === undefined ? `timeout: ${reason}` : `${error} (not tried again: ${reason})`,
  };
}

function chooseOutcome(
  ending: Exclude<Ending, { kind: 'committed' }>,
  { id, fence, attempt, maxAttempts }: Claim,
  definition: JobDefinition,
): Outcome {
  switch (ending.kind) {
    case 'succeeded':
      return { id, fence, act: 'complete', output: ending.output, outputBytes: ending.outputBytes };
    case 'snoozed':
      return {
        id,
        fence,
        act: 'snooze',
        delayMs: ending.delayMs,
        ...(ending.message === undefined ? {} : { error: ending.message }),
      };
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
        ...(attempt >= maxAttempts || ending.retry === false
          ? { act: 'discard' }
          : { act: 'fail', delayMs: retryMs(ending.retry, definition, attempt) }),
        error: ending.message,
        errorOrigin: ending.origin,
      };
  }
}

/** The job type's own backoff; the default where it throws or names no time: a job must not be lost to its own arithmetic. */
function retryMs(decided: number | undefined, definition: JobDefinition, attempt: number): number {
  try {
    const ms = decided ?? definition.backoffMs(attempt);
    if (Number.isFinite(ms)) return Math.min(Math.max(ms, 0), MAX_RETRY_MS);
  } catch {
    // Its handler has failed already, and that is what goes into the history.
  }
  return backoffMs(attempt, DEFAULT_RETRY);
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

function toFailure(threw: unknown, { sql, definition, attempt }: Omit<EndingContext, 'timeoutMs'>): Ending {
  if (isOutage(threw, sql)) {
    return { kind: 'snoozed', delayMs: backoffMs(1, OUTAGE_RETRY) }; // our outage, not the job's failure
  }
  return {
    kind: 'failed',
    message: explain(threw),
    origin: errorOrigin(threw),
    retry: decideRetry(definition, threw, attempt),
  };
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
