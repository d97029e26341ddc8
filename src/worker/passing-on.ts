/**
 * Passes on the ids that wait too long for a slot: published again, each in a message of its own, they go to whichever worker has room. Otherwise a
 * message of many long jobs would keep them behind one worker while others idle.
 *
 * Guarantees: an id is done with here only when the broker has its new message, so that a worker that dies meanwhile loses nothing; what is going to
 * have a slot soon stays; while the queue holds messages that nobody has, everybody has work, and only what has waited for a second goes to its end.
 * No more at a time than would fill another worker like this one: if nobody has room, they stay in the queue, and no more follow. A worker that drains
 * passes on all at once.
 */
import type { PublishedAgain } from '#queue/outbox.ts';
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Hint, Slots } from './slots.ts';

/** The least that an id waits, in milliseconds. */
const WAITS_AT_LEAST_MS = 50;
/** Between two looks, in milliseconds. */
const LOOK_AGAIN_MS = 60;
/** What is going to have a slot within so many looks, by the pace since the last one, stays. */
const LOOKS_AHEAD = 4;
/** The most that an id waits while there are messages for everybody, in milliseconds: what was overtaken for long would count as lost. */
const WAITS_AT_MOST_MS = 1_000;
/** What is not available is asked about again after this, in milliseconds: it has ended, or comes as soon as it is given back or resumed. */
const UNAVAILABLE_MS = 1_000;
/** Between two looks, where nothing could be published. */
const RETRY = { firstMs: 2 * LOOK_AGAIN_MS, maxMs: 2_000 };

export interface PassingOnOptions {
  queue: string;
  events: Events;
  /** Messages in the queue that no consumer has; undefined where nobody can tell now. */
  countReady: () => Promise<number | undefined>;
  /** Resolves when there is something to publish with; rejects where the broker is away. */
  opened: () => Promise<void>;
  /** Publishes those that are available; undefined where the broker takes nothing now. May reject. */
  publishAgain: (ids: readonly string[]) => Promise<PublishedAgain | undefined>;
}

export class PassingOn {
  readonly #options: PassingOnOptions;
  #isWatching = false;

  constructor(options: PassingOnOptions) {
    this.#options = options;
  }

  /** Ids wait in the slots: looks after them until none does. */
  async watch(slots: Slots): Promise<void> {
    if (this.#isWatching) return;
    this.#isWatching = true;
    let failures = 0;
    while (slots.waiting > 0) {
      const { started } = slots;
      await sleep(failures === 0 ? LOOK_AGAIN_MS : backoffMs(failures, RETRY));
      const keep = LOOKS_AHEAD * (slots.started - started);
      if (slots.waiting > keep) failures = (await this.#passOn(slots, keep)) ? 0 : failures + 1;
    }
    this.#isWatching = false;
  }

  /** The worker drains: passes on all of these at once. What cannot be published goes back with its message. Never rejects. */
  async passOnAll(hints: readonly Hint[]): Promise<void> {
    if (hints.length === 0) return;
    const published = (await this.#publish(hints, this.#options.opened))?.published;
    for (const { id, delivered } of hints) delivered.done(published?.has(id) ? 'ack' : 'requeue');
    this.#tell(published?.size ?? 0);
  }

  /** Returns false where something was to be published and nothing could be. That nothing is available is no failure. */
  async #passOn(slots: Slots, keep: number): Promise<boolean> {
    const isEmpty = (await this.#options.countReady()) === 0;
    const waitedMs = isEmpty ? WAITS_AT_LEAST_MS : WAITS_AT_MOST_MS;
    const hints = slots.takeWaiting({ waitedMs, keep, atMost: slots.size });
    if (hints.length === 0) return true;
    const again = await this.#publish(hints);
    const staysUntil = performance.now() + UNAVAILABLE_MS;
    for (const hint of hints) {
      if (again?.published.has(hint.id)) hint.delivered.done('ack');
      else if (again === undefined || again.available.has(hint.id)) slots.enter(hint);
      else slots.enter({ ...hint, staysUntil });
    }
    this.#tell(again?.published.size ?? 0);
    return again !== undefined && (again.published.size > 0 || again.available.size === 0);
  }

  #tell(count: number): void {
    const { events, queue } = this.#options;
    if (count > 0) events.publish('hints.passed-on', { queue, count });
  }

  async #publish(hints: readonly Hint[], opened?: () => Promise<void>): Promise<PublishedAgain | undefined> {
    try {
      await opened?.();
      return await this.#options.publishAgain(hints.map(({ id }) => id));
    } catch (error) {
      this.#options.events.publish('write.retried', { what: 'pass on', retry: 1, error });
      return undefined;
    }
  }
}
