/**
 * Performs one attempt in an isolate of a pool, and says how it ended.
 *
 * Guarantees: an attempt that waits for an isolate leaves at its signal; one whose isolate could not reach Postgres is not charged. Never rejects.
 */
import { aborted, backoffMs } from '#shared/base/backoff.ts';
import { errorMessage } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { redactEnding } from '#shared/job/redaction.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Abort } from '../abort.ts';
import { openClaim } from '../encrypted-attempt.ts';
import type { Ending } from '../ending.ts';
import type { PerformResources } from '../perform.ts';
import type { Isolate, Ran, Unready } from './isolate.ts';
import type { PerformInstruction } from './messages.ts';
import type { IsolatePool } from './pool.ts';

/** The wait before a job runs again whose isolate could not reach Postgres. */
const OUTAGE_RETRY = { firstMs: 1_000, maxMs: 1_000, jitter: 0.5 };

export interface IsolatedAttempt {
  pool: IsolatePool;
  /** All numbers that the worker has had. */
  owners: () => readonly string[];
  definition: JobDefinition;
  claim: Claim;
  abort: Abort;
  resources: Pick<PerformResources, 'settings' | 'encryption' | 'started'>;
  /** What begins the message where no isolate could be had. */
  code: string;
  /** The ending where the isolate has ended before the handler. */
  died: (isolate: Isolate, how: string) => Ending;
}

export async function performIsolated(attempt: IsolatedAttempt): Promise<Ending> {
  const { pool, claim, definition, code } = attempt;
  const claimedAt = performance.now();
  const { signal } = attempt.abort;
  const isolate = await pool.acquire(signal);
  if (isolate === undefined) return stopped(signal);
  try {
    const unready = await Promise.race([isolate.ready, aborted(signal)]);
    if (signal.aborted) return stopped(signal);
    if (unready !== undefined) return notStarted(unready, isolate, code);
    const leftMs = claim.leftMs == null ? null : claim.leftMs - (performance.now() - claimedAt);
    if (leftMs !== null && leftMs <= 0) return overrun(isolate);
    const timeoutMs = Math.min(definition.timeoutMs, leftMs ?? definition.timeoutMs);
    const { started = () => {} } = attempt.resources;
    const instruction = toInstruction({ ...claim, leftMs }, attempt);
    const ran = await isolate.run(instruction, { signal, timeoutMs, started });
    return await toEnding(ran, { attempt, isolate, timeoutMs });
  } catch (error) {
    return notStarted({ message: errorMessage(error), isOutage: false }, isolate, code);
  } finally {
    pool.giveBack(isolate);
  }
}

function toInstruction(claim: Claim, { resources, owners }: IsolatedAttempt): PerformInstruction {
  const { settings, encryption } = resources;
  const { webhookAllowPrivate, webhookAllowedDestinations, webhookNameservers, webhookSecrets } = settings;
  return {
    kind: 'perform',
    claim,
    settings: { webhookAllowPrivate, webhookAllowedDestinations, webhookNameservers, webhookSecrets },
    owners: owners(),
    encryptionKeys: encryption.keys,
  };
}

interface RanIn {
  attempt: IsolatedAttempt;
  isolate: Isolate;
  timeoutMs: number;
}

async function toEnding(ran: Ran, { attempt, isolate, timeoutMs }: RanIn): Promise<Ending> {
  const { signal } = attempt.abort;
  if (ran.kind === 'ended') {
    if (ran.ending.kind !== 'drained') return ran.ending;
    return { kind: 'drained', handlerEnded: await isolate.end() };
  }
  if (signal.aborted) return stopped(signal, ran.kind === 'died' || ran.isGone);
  if (ran.kind === 'died') return withoutHidden(attempt.died(isolate, ran.how), attempt);
  return {
    kind: 'failed',
    message: `timeout: the attempt took longer than ${Math.round(timeoutMs)} ms, and its ${isolate.what} was ended`,
  };
}

/** What was thrown where nobody catches it may quote the arguments. */
function withoutHidden(ending: Ending, { claim, definition, resources }: IsolatedAttempt): Ending {
  if (definition.encrypted !== true) return redactEnding(ending, claim.args, definition);
  const opened = openClaim(claim, resources.encryption);
  return 'ending' in opened ? ending : redactEnding(ending, opened.claim.args, definition); // no handler has had what does not open
}

function stopped({ reason }: AbortSignal, handlerEnded = true): Ending {
  return reason === 'cancel' ? { kind: 'cancelled', message: undefined } : { kind: 'drained', handlerEnded };
}

function overrun({ what }: Isolate): Ending {
  const message = `timeout: its time over all attempts ran out before it had a ${what} of its own`;
  return { kind: 'failed', message, retry: false };
}

function notStarted({ message, isOutage }: Unready, { what }: Isolate, code: string): Ending {
  if (isOutage) return { kind: 'snoozed', delayMs: backoffMs(1, OUTAGE_RETRY) };
  return { kind: 'failed', message: `${code}: its ${what} could not be had (${message})` };
}
