/**
 * The life of one attempt, from the delivery to the fate of its message: claim → resolve → perform → record → disposition.
 *
 * Guarantees: Postgres first, acknowledgement second; an attempt whose handler has not started is not charged (handed back, or, should the worker
 * die, known by its missing start mark); a failed write is never taken for a failed handler. Knows nothing of AMQP: it takes a job's id and
 * returns a disposition.
 */
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import { errorMessage } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { target } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';
import type { Abort } from './abort.ts';
import { setBaggageApart, startAttemptSpan, withinAttempt } from './attempt-span.ts';
import type { ClaimResult } from './claim-results.ts';
import { isNotClaimed } from './claim-results.ts';
import type { Claimer, Delivered } from './claimer.ts';
import type { Completer, Recorded } from './completer.ts';
import type { Ending } from './ending.ts';
import { toOutcome } from './ending.ts';
import type { Perform, PerformResources } from './perform.ts';
import type { Refusal } from './refusal.ts';
import { RunningAttempts } from './running-attempts.ts';

/** What becomes of the message. `unacked`: nothing; the broker redelivers it when the channel closes. */
export type Disposition = 'ack' | 'requeue' | 'unacked' | { kind: 'dead-letter'; reason: string };

type Ended = { ending: Ending; outcome: Outcome };

export interface AttemptsOptions {
  claimer: Claimer;
  completer: Completer;
  /** The job types of this worker, by name. */
  definitions: ReadonlyMap<string, JobDefinition>;
  /** What every handler is given beside its own job; asked for when one runs. */
  resources: () => PerformResources;
  events: Events;
  /** Runs a handler, here or where it hurts nobody. */
  perform: Perform;
  /** Aborts when the process must stop. */
  giveUp: AbortSignal;
}

export class Attempts {
  readonly running = new RunningAttempts();
  readonly #claimer: Claimer;
  readonly #completer: Completer;
  readonly #definitions: ReadonlyMap<string, JobDefinition>;
  readonly #resources: () => PerformResources;
  readonly #events: Events;
  readonly #performHandler: Perform;
  readonly #unheard = new Set<Promise<void>>();
  readonly #unfinished: { claim: Claim; outcome: Outcome }[] = [];
  readonly #giveUp: AbortSignal;
  readonly #draining = new AbortController();

  constructor({ claimer, completer, definitions, resources, events, perform, giveUp }: AttemptsOptions) {
    this.#events = events;
    this.#claimer = claimer;
    this.#completer = completer;
    this.#definitions = definitions;
    this.#resources = resources;
    this.#performHandler = perform;
    this.#giveUp = giveUp;
  }

  /**
   * Runs one attempt of the job, if it can be had. `handlerEnded` is called when its handler has ended; the record follows. A refusal that others
   * take care of, `unknown` or `foreign`, is returned. Never rejects.
   */
  async run(delivered: Delivered, handlerEnded?: () => void): Promise<Disposition | Refusal> {
    const result = await this.#claim(delivered);
    if (result === undefined) return 'requeue';
    if (result.kind === 'refused') return this.#disposeRefused(delivered.id, result);
    return await this.runClaimed(result.claim, handlerEnded);
  }

  /** Runs an attempt that is claimed already. Never rejects. */
  async runClaimed(claim: Claim, handlerEnded?: () => void): Promise<Disposition> {
    this.running.enter(claim.queue);
    try {
      return await this.#runClaimed(setBaggageApart(claim), handlerEnded);
    } finally {
      this.running.leave(claim.queue);
      this.#claimer.release(claim); // only now: a second delivery meanwhile must find it
    }
  }

  async #runClaimed(claimed: Claim, handlerEnded?: () => void): Promise<Disposition> {
    if (this.#draining.signal.aborted) return await this.#handBack(claimed);

    const definition = this.#definitions.get(claimed.type);
    if (definition === undefined) return await this.#handBack(claimed); // it was claimed without being asked for: another worker's

    const abort = this.running.begin(claimed.id);
    const span = startAttemptSpan(claimed);
    const claim = span?.claim ?? claimed;
    const { ending, outcome } = await (span === undefined
      ? withinAttempt(claim, () => this.#perform(definition, claim, abort))
      : span.run(() => this.#perform(definition, claim, abort)));
    if (ending.kind === 'drained' && !ending.handlerEnded) {
      this.#unfinished.push({ claim, outcome }); // its handler goes on: nobody else may start it before this process ends
      return 'unacked';
    }
    handlerEnded?.();
    const recorded = await this.#record({ ending, outcome }, claim, definition);
    this.running.end(claim.id, abort);
    return dispose(recorded, ending);
  }

  /** Runs those of this worker's running jobs (by their rows) that it has claimed without hearing of it: the answer was lost. */
  runUnheard(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.#claimer.holds(id)) continue;
      const ended = this.run({ id, redelivered: false }).then(() => {
        this.#unheard.delete(ended);
      });
      this.#unheard.add(ended);
    }
  }

  /** Resolves when no attempt of `runUnheard` is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#unheard);
  }

  /** Whether the job runs here. */
  runs(jobId: string): boolean {
    return this.#claimer.holds(jobId);
  }

  /** Starts nothing from now on: what is claimed still is handed back. What runs goes on. */
  drain(): void {
    this.#draining.abort();
  }

  /** Hands back the jobs whose handlers have ignored their signal. The last thing before the process ends, which ends them. */
  async handBackUnfinished(): Promise<void> {
    await Promise.all(this.#unfinished.map(({ claim, outcome }) => this.#completer.record(outcome, claim)));
  }

  /** A refused delivery is done with: the row decides what happens next. */
  #disposeRefused(jobId: string, refusal: Refusal): Disposition | Refusal {
    const { reason } = refusal;
    if (reason === 'unknown' || reason === 'foreign') return refusal;
    this.#events.publish('delivery.suppressed', { jobId, reason });
    return 'ack';
  }

  /**
   * Tries until it is known. Undefined where the process drains before that; but a claim that was asked for and not answered may have been made,
   * and is asked for again until the process must stop. Where claims are closed, a job that waits was not claimed.
   */
  async #claim(delivered: Delivered): Promise<ClaimResult | undefined> {
    for (let retry = 0; retry > 0 || !this.#draining.signal.aborted; retry += 1) {
      try {
        return await this.#claimer.claim(delivered, this.#draining.signal);
      } catch (error) {
        this.#events.publish('write.retried', { what: 'claim', retry: retry + 1, error });
        if (this.#giveUp.aborted) return undefined;
        const isUnclaimed = isNotClaimed(delivered.id, error);
        const wakes = isUnclaimed ? this.#draining.signal : this.#giveUp;
        await sleep(backoffMs(retry + 1, { firstMs: 50, maxMs: 2_000, jitter: 0.5 }), wakes);
        if (isUnclaimed && this.#draining.signal.aborted) return undefined;
      }
    }
    return undefined;
  }

  async #handBack(claim: Claim): Promise<Disposition> {
    const { id, fence } = claim;
    const recorded = await this.#completer.record({ id, fence, act: 'handBack' }, claim);
    return recorded === 'unrecorded' ? 'unacked' : 'requeue';
  }

  async #perform(definition: JobDefinition, claim: Claim, abort: Abort): Promise<Ended> {
    const { id: jobId, type, queue, attempt, waitMs, trace } = claim;
    this.#events.publish('attempt.started', { ...trace, jobId, type, queue, attempt, waitMs });
    const startedAt = performance.now();
    const started = () => this.#claimer.started(claim);
    const ending = await this.#performHandler(definition, claim, abort, { ...this.#resources(), started });
    const durationMs = performance.now() - startedAt;
    const outcome = toOutcome(ending, claim, definition, durationMs);
    this.#events.publish('attempt.finished', {
      ...trace,
      jobId,
      type,
      queue,
      attempt,
      outcome: target(outcome.act),
      durationMs,
      error: outcome.act === 'stop' ? undefined : outcome.error, // a cancel is no error
      origin: ending.kind === 'failed' ? ending.origin : undefined,
      retryInMs: outcome.act === 'fail' ? outcome.delayMs : undefined,
    });
    return { ending, outcome };
  }

  async #record({ ending, outcome }: Ended, claim: Claim, definition: JobDefinition): Promise<Recorded> {
    if (ending.kind === 'committed') return this.#completer.tellCommitted(ending, claim);
    const recorded = await this.#completer.record(outcome, claim).catch((error: unknown) => {
      const message = `the outcome cannot be stored: ${errorMessage(error)}`; // an output that jsonb refuses
      return this.#completer.record(toOutcome({ kind: 'failed', message }, claim, definition), claim);
    });
    if (recorded === 'fenced') {
      const { id: jobId, type, attempt, trace } = claim;
      this.#events.publish('attempt.fenced', { ...trace, jobId, type, attempt });
    }
    return recorded;
  }
}

function dispose(recorded: Recorded, ending: Ending): Disposition {
  if (recorded === 'unrecorded') return 'unacked';
  return ending.kind === 'drained' && recorded === 'recorded' ? 'requeue' : 'ack';
}
