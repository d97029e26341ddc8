/**
 * Events as the class `Warren` shows them: those of jobs in whichever process, as an iterable, and those of the instance itself.
 */
import type { EventHub, WatchOptions } from '#queue/events/event-hub.ts';
import type { EventFilter, WatchItem } from '#shared/job/job-event.ts';
import type { Events } from '#shared/observe/events.ts';

export type WatchedEvent = Exclude<WatchItem, { kind: 'idle' }>;

export interface WarrenEvents extends Pick<Events, 'subscribe'> {
  /**
   * What happens to jobs from now on, or from an earlier event's `position` on, in whichever process: `ready` first, then one event after the other, for as
   * long as the loop goes on. After `reset` something may be missing. Throws `InvalidInput`, and `Unavailable` where too many watch, Postgres is away
   * at the beginning or the instance is stopped.
   */
  (filter?: EventFilter, options?: WatchOptions): AsyncGenerator<WatchedEvent, void, undefined>;
}

export function createWarrenEvents(jobEvents: Pick<EventHub, 'watch'>, events: Events): WarrenEvents {
  async function* watch(
    filter: EventFilter = {},
    options: WatchOptions = {},
  ): AsyncGenerator<WatchedEvent, void, undefined> {
    for await (const item of jobEvents.watch(filter, options)) if (item.kind !== 'idle') yield item;
  }
  const subscribe: Events['subscribe'] = (name, listener) => events.subscribe(name, listener);
  return Object.assign(watch, { subscribe });
}
