/**
 * Takes jobs straight from Postgres while there is no broker: none is configured, it has been away for two seconds, or (in the leader, which
 * publishes) it takes no messages.
 *
 * Guarantees: the same claim and drain as with messages; it takes no more than channels × prefetch jobs of a queue, what came by message included
 * (when the broker is back, deliveries come on top of what the lane still runs); it only asks while it is needed, and less often the longer nothing
 * is there. Messages that come back later find nothing to claim.
 */
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { FreeSlots } from '#shared/postgres/statements/claim-next.ts';
import type { QueueChannels } from '#shared/settings/worker-queues.ts';

const LOOK_AGAIN_MS = 250;
/** How soon it is seen that the lane is needed, in milliseconds: a look is all that it costs, but it wakes an idle process. */
const NOT_NEEDED_MS = 500;
/** The wait after rounds that found nothing, unless a notice ends it: short at first, a few statements per second at rest. */
const IDLE_WAIT = { firstMs: 20, maxMs: 500, jitter: 0.5 };

export interface FallbackLaneOptions {
  events: Events;
  /** As they are now. */
  queues: () => readonly QueueChannels[];
  isNeeded: () => boolean;
  /** Throws `Unavailable`. */
  claimNext: (wanted: readonly FreeSlots[]) => Promise<Claim[]>;
  /** Never rejects. */
  run: (claim: Claim) => Promise<unknown>;
  /** How many attempts of the queue's jobs are under way, however they came. */
  runningIn: (queue: string) => number;
}

export class FallbackLane {
  readonly #options: FallbackLaneOptions;
  readonly #stopping = new AbortController();
  readonly #active = new Set<Promise<void>>();
  #slotFreed = Promise.withResolvers<void>();
  #wake = new AbortController();
  #isActive = false;
  #life: Promise<void> = Promise.resolve();

  constructor(options: FallbackLaneOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isActive = this.#options.isNeeded(); // where there is no broker, this is no change
    this.#life = this.#live();
  }

  /** Whether jobs are taken straight from Postgres now. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Ends the wait between rounds that found nothing: a job may be due. */
  wake(): void {
    if (this.#isActive) this.#wake.abort();
  }

  /** Takes no more jobs. Resolves when the last one it took has ended. */
  async drain(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    this.#slotFreed.resolve();
    await this.#life;
    await Promise.all(this.#active);
  }

  async #live(): Promise<void> {
    let emptyRounds = 0;
    while (!this.#stopping.signal.aborted) {
      const isNeeded = this.#options.isNeeded();
      if (isNeeded !== this.#isActive) {
        this.#isActive = isNeeded;
        this.#options.events.publish('lane.changed', { lane: isNeeded ? 'postgres' : 'rabbitmq' });
      }
      if (!isNeeded) {
        await sleep(NOT_NEEDED_MS, this.#stopping.signal);
        continue;
      }
      // Made before the round: a notice that comes during it must end the wait after it.
      this.#wake = new AbortController();
      const wanted = this.#freeSlots();
      this.#slotFreed = Promise.withResolvers();
      const taken = wanted.length === 0 ? 0 : await this.#take(wanted);
      emptyRounds = taken === 0 ? emptyRounds + 1 : 0;
      if (wanted.length === 0) await Promise.race([this.#slotFreed.promise, sleep(LOOK_AGAIN_MS)]);
      else if (taken === 0) await sleep(backoffMs(emptyRounds, IDLE_WAIT), this.#wake.signal);
    }
  }

  /** Returns how many jobs it took. */
  async #take(wanted: readonly FreeSlots[]): Promise<number> {
    try {
      const claims = await this.#options.claimNext(wanted);
      for (const claim of claims) this.#run(claim);
      return claims.length;
    } catch (error) {
      this.#options.events.publish('write.retried', { what: 'claim', retry: 1, error });
      return 0;
    }
  }

  #run(claim: Claim): void {
    const ended = this.#options.run(claim).then(() => {
      this.#active.delete(ended);
      this.#slotFreed.resolve();
    });
    this.#active.add(ended);
  }

  #freeSlots(): FreeSlots[] {
    return this.#options.queues().flatMap(({ queue, channels, prefetch }) => {
      const slots = channels * prefetch - this.#options.runningIn(queue);
      return slots > 0 ? [{ queue, slots }] : [];
    });
  }
}
