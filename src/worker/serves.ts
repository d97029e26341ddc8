/**
 * What a worker tells with every beat: what it runs, and how much of it at once.
 */
import type { App } from '#shared/job/app.ts';
import type { Serves } from '#shared/postgres/statements/workers.ts';
import type { QueueChannels } from '#shared/settings/worker-queues.ts';

/** `current`: its queues as they are when it beats. */
export function servesOf(app: App, current: () => readonly QueueChannels[]): Serves {
  return {
    app: app.name,
    get queues() {
      return current().map(({ queue }) => queue);
    },
    get slots() {
      return Object.fromEntries(
        current().map(({ queue, channels, prefetch }) => [queue, channels * prefetch]),
      );
    },
    types: [...app.definitions.keys()],
    schedules: app.schedules.map(({ name }) => name),
  };
}
