/**
 * Runs a handler under a timeout and an abort signal until it settles.
 *
 * Guarantees: a handler does not start once its attempt was aborted; one that ignores its signal is given up after a grace: its slot is freed,
 * its late result is refused by the fence.
 */
import { MAX_TIMER_MS } from '#shared/base/backoff.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { JobDefinition, JobSettings, ShippedJobContext } from '#shared/job/job.ts';
import { redactEnding } from '#shared/job/redaction.ts';
import type { Events } from '#shared/observe/events.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Abort } from './abort.ts';
import type { Ending, Settled } from './ending.ts';
import { toEnding } from './ending.ts';
import { createJobLog } from './job-log.ts';

/** What a handler may take to let go after its signal aborted, in milliseconds. */
const ABORT_GRACE_MS = 400;
const GIVEN_UP: Settled = { kind: 'given-up' };

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
  const handler = settle(definition, claim, abort, resources);
  const settled = await orGivenUp(handler, abort);
  clearTimeout(timeout);
  if (settled.kind === 'given-up') reportAbandoned(resources.events, claim, handler);
  const ending = toEnding(settled, abort.reason, { timeoutMs: definition.timeoutMs, sql: resources.sql });
  return redactEnding(ending, claim.args, definition);
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
  abort: Abort,
  resources: PerformResources,
): Promise<Settled> {
  try {
    const parsed = parseArguments(definition, claim.args);
    const args = parsed instanceof Promise ? await parsed : parsed;
    if (abort.reason !== undefined) throw abort.reason; // while they were checked: the job may run elsewhere by now
    resources.started?.();
    return { kind: 'returned', value: await definition.perform(args, toContext(claim, abort, resources)) };
  } catch (error) {
    return { kind: 'threw', error };
  }
}

/** As the handler settles, or when the attempt was aborted and the grace is over. */
function orGivenUp(handler: Promise<Settled>, abort: Abort): Promise<Settled> {
  return new Promise((resolve) => {
    let grace: NodeJS.Timeout | undefined;
    abort.onAbort = () => {
      grace = setTimeout(resolve, ABORT_GRACE_MS, GIVEN_UP);
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
