/**
 * Runs a handler under a timeout and an abort signal until it settles.
 *
 * Guarantees: a handler does not start once its attempt was aborted; one that ignores its signal is given up after a grace: its slot is freed,
 * its late result is refused by the fence.
 */
import { MAX_TIMER_MS } from '#shared/base/backoff.ts';
import { errorMessage } from '#shared/base/errors.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { JobDefinition, JobSettings } from '#shared/job/job.ts';
import type { Middleware } from '#shared/job/middleware.ts';
import { aroundPerform } from '#shared/job/middleware.ts';
import type { ShippedJobContext } from '#shared/job/shipped-job-context.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishAct } from '#shared/observe/job-act.ts';
import type { HandlerClient } from '#shared/postgres/handler-client.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';
import type { Abort } from './abort.ts';
import { openClaim, toKept } from './encrypted-attempt.ts';
import type { Ending, Settled } from './ending.ts';
import { toEnding, toOutcome } from './ending.ts';
import { createJobLog, publishProgress } from './job-log.ts';
import type { JobTransactions } from './own-transaction.ts';
import { OwnTransaction } from './own-transaction.ts';

/** What a handler may take to let go after its signal aborted, in milliseconds. */
const ABORT_GRACE_MS = 400;
const GIVEN_UP: Settled = { kind: 'given-up' };

/** What a process has for every attempt that it performs. */
export interface PerformResources {
  /** The application's. */
  services: unknown;
  /** For the job types that ship with Warren. */
  settings: JobSettings;
  /** Of the application, around every handler. */
  middleware: Middleware['perform'];
  /** Of encrypted job types. */
  encryption: Encryption;
  /** What the services were made with: whether it has lost Postgres tells an outage from a failure. */
  sql: HandlerClient;
  /** For the transactions of their own that handlers ask for. */
  transactions: JobTransactions;
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
  if (definition.encrypted !== true) return await performOpen(definition, claim, abort, resources);
  const opened = openClaim(claim, resources.encryption);
  return 'ending' in opened ? opened.ending : await performOpen(definition, opened.claim, abort, resources);
}

async function performOpen(
  definition: JobDefinition,
  claim: Claim,
  abort: Abort,
  resources: PerformResources,
): Promise<Ending> {
  const { attempt, leftMs } = claim;
  const timeoutMs = Math.min(definition.timeoutMs, Math.max(0, leftMs ?? MAX_TIMER_MS), MAX_TIMER_MS);
  const timeout = setTimeout(() => abort.abort('timeout'), timeoutMs);
  const own: Own = { toOutcome: toOutcomeOf(definition, claim, resources), transaction: undefined };
  const handler = settle(claim, { definition, abort, resources, own });
  const settled = await orGivenUp(handler, abort);
  clearTimeout(timeout);
  if (settled.kind === 'given-up') {
    reportAbandoned(resources.events, claim, handler);
    await own.transaction?.abandon();
  }
  const committed = own.transaction?.committed;
  if (committed !== undefined) {
    if (settled.kind === 'threw') reportLateError(resources.events, claim, definition, settled.error);
    return { kind: 'committed', ...committed };
  }
  const ending = toEnding(settled, abort.reason, {
    timeoutMs: Math.min(definition.timeoutMs, Math.round(leftMs ?? definition.timeoutMs)),
    attempt,
    definition,
    sql: resources.sql,
  });
  return toKept(ending, claim.args, { definition, encryption: resources.encryption });
}

/** An attempt's own transaction, made when its handler asks for one. */
interface Own {
  toOutcome: (returned: unknown) => Outcome;
  transaction: OwnTransaction | undefined;
}

interface Attempt {
  definition: JobDefinition;
  abort: Abort;
  resources: PerformResources;
  own: Own;
}

/** Of what the work of its transaction has returned: as of what a handler returns. */
function toOutcomeOf(
  definition: JobDefinition,
  claim: Claim,
  { sql, encryption }: PerformResources,
): (returned: unknown) => Outcome {
  const startedAt = performance.now();
  return (returned) => {
    const settled: Settled = { kind: 'returned', value: returned };
    const { attempt, args } = claim;
    const ending = toEnding(settled, undefined, {
      timeoutMs: definition.timeoutMs,
      attempt,
      definition,
      sql,
    });
    if (ending.kind === 'failed') throw new Error(ending.message);
    return toOutcome(
      toKept(ending, args, { definition, encryption }),
      claim,
      definition,
      performance.now() - startedAt,
    );
  };
}

function toContext(
  claim: Claim,
  { definition, abort, resources, own }: Attempt,
  services: unknown,
): ShippedJobContext {
  const { settings, sql, events, transactions, encryption } = resources;
  const { id, attempt, maxAttempts, fence, trace, baggage, batchId } = claim;
  return {
    ...trace,
    ...(baggage === undefined ? {} : { baggage }),
    jobId: id,
    attempt,
    maxAttempts,
    fence,
    batchId: batchId ?? undefined,
    services,
    settings,
    sql,
    publishAct: (act, job) => publishAct(events, act, job),
    get encryption() {
      return encryption.withoutKeys();
    },
    get log() {
      return createJobLog(events, claim, definition); // most handlers never ask
    },
    progress: (share, text) => publishProgress(events, claim, { share, text, definition }),
    get signal() {
      return abort.signal;
    },
    transaction(work) {
      own.transaction ??= new OwnTransaction({ transactions, abort, toOutcome: own.toOutcome });
      return own.transaction.run(work);
    },
  };
}

/** Never rejects. Arguments are checked again: the schema may have changed since they were enqueued. */
async function settle(claim: Claim, attempt: Attempt): Promise<Settled> {
  const { definition, abort, resources, own } = attempt;
  try {
    const parsed = parseArguments(definition, claim.args);
    const args = parsed instanceof Promise ? await parsed : parsed;
    if (abort.reason !== undefined) throw abort.reason; // while they were checked: the job may run elsewhere by now
    resources.started?.();
    const { middleware, services } = resources;
    if (middleware.length === 0)
      return { kind: 'returned', value: await definition.perform(args, toContext(claim, attempt, services)) };
    const contextWith = (given: unknown) => toContext(claim, attempt, given);
    return {
      kind: 'returned',
      value: await aroundPerform(middleware, { definition, args, services, contextWith }),
    };
  } catch (error) {
    return { kind: 'threw', error };
  } finally {
    if (own.transaction !== undefined) await own.transaction.idle(); // one that the handler has not awaited
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

function reportLateError(events: Events, claim: Claim, definition: JobDefinition, error: unknown): void {
  createJobLog(events, claim, definition).error(
    'the handler has thrown after its transaction had ended the job',
    error instanceof Error ? error : { error: errorMessage(error) },
  );
}
