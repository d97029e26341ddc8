/**
 * The events of jobs for everybody in this process who watches: one reader of Postgres, whatever the number of watchers, and none where nobody watches.
 *
 * Guarantees: after `ready` nothing that is committed is missed or told twice, until a `reset`; who comes back with a position gets what has happened since, from
 * whichever process; each watcher's buffer is bounded, and a slow one holds up the others for a second at most. An outage of Postgres is a `reset`. Must not know HTTP.
 */
import { backoffMs, sleep, withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { EventFilter, WatchItem } from '#shared/job/job-event.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { EventsPage, Interest, StoredEvent } from '#shared/postgres/statements/events.ts';
import { readEvents } from '#shared/postgres/statements/events.ts';
import { matches, toInterest } from './event-filter.ts';
import { Interests } from './interests.ts';
import type { Position } from './position.ts';
import { isAhead, openSnapshot, readPosition, writePosition } from './position.ts';
import { Watcher } from './watcher.ts';

/** Between two reads, in milliseconds. */
const READ_MS = 100;
const IDLE_MS = 15_000;
const PAGE = 1_000;
const JOIN_MS = 10_000;
/** After so many bytes of events the watchers get the time to take them; who is behind then, a moment more, in milliseconds. */
const PORTION_BYTES = 131_072;
const CATCH_UP_MS = 100;
const CATCH_UP_LOOK_MS = 5;
/** What an event counts beside its text. */
const ITEM_BYTES = 200;

export interface EventHubOptions {
  database: Database;
  events: Events;
  /** Defaults to 100. */
  maxWatchers?: number | undefined;
}

export interface WatchOptions {
  /** The `position` of the last item of an earlier watch with the same filter, of whichever process. Defaults to none: from now on. */
  from?: string | undefined;
  /** Ends the watch. */
  signal?: AbortSignal | undefined;
}

interface Seat {
  interest: Interest;
  /** What is recorded for it: it may be more. */
  recorded: Interest;
  watcher: Watcher;
}

/** Between two snapshots nothing is half read. */
type Boundary = Pick<Position, 'at' | 'from'>;

export class EventHub {
  readonly #database: Database;
  readonly #events: Events;
  readonly #maxWatchers: number;
  readonly #interests: Interests;
  readonly #seats = new Set<Seat>();
  readonly #joining: { seat: Seat; resolve: (boundary: Boundary) => void }[] = [];
  readonly #stopping = new AbortController();
  #watchers = 0;
  #wake = new AbortController();
  #boundary: Boundary | undefined;
  #idleAt = 0;
  #reading: Promise<void> | undefined;

  constructor({ database, events, maxWatchers = 100 }: EventHubOptions) {
    this.#database = database;
    this.#events = events;
    this.#maxWatchers = maxWatchers;
    this.#interests = new Interests(database);
  }

  /**
   * Begins with `ready`, or with `reset` where `from` is too old, and goes on until it is left, its signal aborts, the process stops, or it was too slow
   * (`reset`). Throws `InvalidInput` for a filter or a position that is none, `Unavailable` where too many watch, Postgres is away at its beginning or the process stops.
   */
  watch(
    filter: EventFilter,
    { from, signal }: WatchOptions = {},
  ): AsyncGenerator<WatchItem, void, undefined> {
    const position = from === undefined ? undefined : readPosition(from);
    const interest = toInterest(filter);
    return this.#watch({ interest, recorded: interest, watcher: new Watcher() }, position, signal);
  }

  /** Ends every watch, cleanly. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { watcher } of this.#seats) watcher.end();
    await this.#reading;
  }

  async *#watch(
    seat: Seat,
    from: Position | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<WatchItem, void, undefined> {
    if (this.#stopping.signal.aborted)
      throw new Unavailable('stopping', 'this process stops: watch elsewhere');
    if (this.#watchers >= this.#maxWatchers)
      throw new Unavailable('watchers_full', `${this.#maxWatchers} watch already`);
    this.#watchers += 1;
    const end = () => seat.watcher.end();
    signal?.addEventListener('abort', end, { once: true });
    try {
      if (signal?.aborted) return;
      seat.recorded = this.#interests.recordedFor(seat.interest);
      const completeSince = await this.#interests.enter(seat.recorded);
      try {
        const boundary = await this.#join(seat);
        yield* this.#begin(seat, { from, completeSince, boundary });
        yield* seat.watcher.items();
      } finally {
        this.#interests.leave(seat.recorded);
      }
    } finally {
      this.#watchers -= 1;
      this.#seats.delete(seat);
      signal?.removeEventListener('abort', end);
    }
  }

  /** Where the watcher begins to hear, and what it has missed up to there. */
  async *#begin(
    { interest }: Seat,
    {
      from,
      completeSince,
      boundary,
    }: { from: Position | undefined; completeSince: string; boundary: Boundary },
  ): AsyncGenerator<WatchItem, void, undefined> {
    if (from === undefined) {
      yield { kind: 'ready', position: writePosition(boundary) };
    } else if (
      BigInt(from.at) < BigInt(completeSince) ||
      isAhead(from.from, boundary.from) ||
      (from.to !== undefined && isAhead(from.to, boundary.from))
    ) {
      yield { kind: 'reset', reason: 'missed', position: writePosition(boundary) };
    } else {
      yield { kind: 'ready', position: writePosition(from) };
      const middle = from.to === undefined ? from : { at: from.at, from: from.to };
      if (from.to !== undefined) yield* this.#replay(interest, from, from.to);
      yield* this.#replay(interest, middle, boundary.from);
      yield { kind: 'idle', position: writePosition(boundary) };
    }
  }

  async *#replay(interest: Interest, from: Position, to: string): AsyncGenerator<WatchItem, void, undefined> {
    let after = from.after ?? '0';
    for (;;) {
      const { events } = await this.#read({ ...from, to, after });
      for (const event of events)
        if (matches(interest, event)) yield toItem(event, { ...from, to, after: event.id });
      const last = events.at(-1);
      if (last === undefined || events.length < PAGE) return;
      after = last.id;
    }
  }

  /** Resolves with where the reader stands when the watcher begins to hear. */
  async #join(seat: Seat): Promise<Boundary> {
    const { promise, resolve } = Promise.withResolvers<Boundary>();
    const joining = { seat, resolve };
    this.#joining.push(joining);
    this.#wake.abort();
    this.#reading ??= this.#readAll();
    const tooLate = () => new Unavailable('postgres_unavailable', 'Postgres does not answer');
    try {
      return await withDeadline(promise, JOIN_MS, tooLate, this.#stopping.signal);
    } catch (error) {
      const place = this.#joining.indexOf(joining);
      if (place >= 0) this.#joining.splice(place, 1);
      throw error;
    }
  }

  async #readAll(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !this.#interests.isEmpty && !signal.aborted; ) {
      const rest = AbortSignal.any([signal, this.#wake.signal]);
      try {
        await this.#advance();
        failures = 0;
        await sleep(READ_MS, rest);
      } catch (error) {
        failures += 1;
        this.#boundary = undefined;
        this.#events.publish('maintenance.failed', { task: 'events', failures, error });
        await sleep(backoffMs(failures, { firstMs: 200, maxMs: 5_000 }), signal);
      }
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
    }
    this.#boundary = undefined;
    this.#reading = undefined;
  }

  /** From one boundary to the next. Whoever waits to join does so there. */
  async #advance(): Promise<void> {
    const kept = await this.#interests.renew();
    const before = this.#boundary;
    if (before === undefined) {
      const { at, snapshot } = await this.#read({});
      this.#boundary = { at, from: snapshot };
      for (const { watcher } of this.#seats) this.#reset(watcher, this.#boundary);
    } else {
      const late = [...this.#seats].filter(
        ({ recorded }) => BigInt(kept.get(recorded.key) ?? 0) > BigInt(before.at),
      );
      this.#boundary = await this.#tellAll(before);
      for (const { watcher } of late) this.#reset(watcher, this.#boundary);
    }
    this.#tellIdle(this.#boundary);
    for (const { seat, resolve } of this.#joining.splice(0)) {
      this.#seats.add(seat);
      resolve(this.#boundary);
    }
  }

  async #tellAll({ at, from }: Boundary): Promise<Boundary> {
    const first = await this.#read({ at, from });
    const to = first.snapshot;
    for (let page = first; ; ) {
      let portion = 0;
      for (const event of page.events) {
        portion += this.#tell(event, { at, from, to, after: event.id });
        if (portion < PORTION_BYTES) continue;
        portion = 0;
        await this.#letCatchUp();
      }
      const last = page.events.at(-1);
      if (last === undefined || page.events.length < PAGE) return { at: first.at, from: to };
      page = await this.#read({ at, from, to, after: last.id });
    }
  }

  /** A burst makes nobody slow who reads; who does not is dropped a second later, and holds up the others until then. */
  async #letCatchUp(): Promise<void> {
    const deadline = performance.now() + CATCH_UP_MS;
    do await sleep(CATCH_UP_LOOK_MS);
    while (performance.now() < deadline && [...this.#seats].some(({ watcher }) => watcher.isBehind));
  }

  /** Returns the bytes that wait for whoever hears of it. */
  #tell(event: StoredEvent, position: Position): number {
    let told: { item: WatchItem; bytes: number } | undefined;
    for (const seat of this.#seats) {
      if (!matches(seat.interest, event)) continue;
      told ??= { item: toItem(event, position), bytes: ITEM_BYTES + JSON.stringify(event).length };
      if (!seat.watcher.push(told.item, told.bytes)) this.#seats.delete(seat);
    }
    return told?.bytes ?? 0;
  }

  #reset(watcher: Watcher, boundary: Boundary): void {
    watcher.push({ kind: 'reset', reason: 'missed', position: writePosition(boundary) }, ITEM_BYTES);
  }

  #tellIdle(boundary: Boundary): void {
    if (performance.now() < this.#idleAt) return;
    this.#idleAt = performance.now() + IDLE_MS;
    const item: WatchItem = { kind: 'idle', position: writePosition(boundary) };
    for (const seat of this.#seats) if (!seat.watcher.push(item, ITEM_BYTES)) this.#seats.delete(seat);
  }

  async #read({ from, to, after = '0' }: Partial<Position>): Promise<EventsPage> {
    const request = { from: from === undefined ? undefined : openSnapshot(from), to, after, limit: PAGE };
    return await this.#database.query((sql) => readEvents(sql, request));
  }
}

function toItem({ id: _, ...event }: StoredEvent, position: Position): WatchItem {
  return { ...event, position: writePosition(position) };
}
