/**
 * The chores of the fleet: one worker, the leader, does them. Each is a loop of its own that does one round, waits, and goes on; a round that fails
 * is reported and tried again.
 */
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Presence } from '#shared/postgres/presence.ts';

/** Does one round and returns the milliseconds until the next. */
export type Chore = () => Promise<number>;

/** A worker that does not lead waits to be told: to look would wake an idle process many times a second. In milliseconds. */
const NOT_LEADING_MS = 60_000;

export interface MaintenanceOptions {
  presence: Presence;
  chores: ReadonlyMap<string, Chore>;
  events: Events;
}

export class Maintenance {
  readonly #presence: Presence;
  readonly #chores: ReadonlyMap<string, Chore>;
  readonly #events: Events;
  readonly #stopping = new AbortController();
  readonly #wakes = new Map<string, AbortController>();
  #loops: Promise<void>[] = [];

  constructor({ presence, chores, events }: MaintenanceOptions) {
    this.#events = events;
    this.#presence = presence;
    this.#chores = chores;
  }

  start(): void {
    this.#loops = [...this.#chores].map(([task, chore]) => this.#loop(task, chore));
  }

  /** Ends the waits of these chores: something is due sooner than was known. */
  wake(...tasks: readonly string[]): void {
    for (const task of tasks) this.#wakes.get(task)?.abort();
  }

  /** This worker has become the leader. */
  wakeAll(): void {
    this.wake(...this.#chores.keys());
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wakeAll();
    await Promise.all(this.#loops);
  }

  async #loop(task: string, chore: Chore): Promise<void> {
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      // Made before the round: a notice that comes during it must end the wait after it.
      const wake = new AbortController();
      this.#wakes.set(task, wake);
      let waitMs = NOT_LEADING_MS;
      try {
        if (this.#presence.leader) waitMs = await chore();
        if (failures > 0) this.#events.publish('maintenance.recovered', { task, failures });
        failures = 0;
      } catch (error) {
        failures += 1;
        waitMs = backoffMs(failures, { firstMs: 250, maxMs: 5_000 });
        this.#events.publish('maintenance.failed', { task, failures, error });
      }
      await sleep(waitMs, wake.signal);
    }
  }
}
