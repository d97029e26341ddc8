/**
 * The presence of a worker, connected with the parts that it wakes and asks. Starts nothing.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import { Presence } from '#shared/postgres/presence.ts';
import type { Config } from '#shared/settings/config.ts';
import type { Attempts } from './attempt.ts';
import type { Claimer } from './claimer.ts';
import type { FallbackLane } from './fallback-lane.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { Maintenance } from './maintenance/maintenance.ts';
import { createNoticeHandler } from './notice-handler.ts';
import type { RowLooks } from './row-looks.ts';
import type { ServedQueues } from './served-queues.ts';
import { servesOf } from './serves.ts';
import { VitalSigns } from './vitals.ts';

/** By what a worker is told to stop, and tells that somebody wants it to. */
export interface WorkerSignals {
  /** Aborts when the worker stops. */
  stopping: AbortSignal;
  /** Aborts when records are no longer tried again. */
  giveUp: AbortSignal;
  /** Somebody has asked the worker to end. May be called more than once. */
  onDrainRequested: () => void;
}

interface Connected {
  claimer: Claimer;
  attempts: Attempts;
  queues: ServedQueues;
  rowLooks: RowLooks;
  maintenance: Maintenance;
  fallbackLane: FallbackLane;
}

export interface OwnPresenceOptions extends Omit<WorkerSignals, 'giveUp'> {
  config: Config;
  name: string;
  app: App;
  events: Events;
  held: HeldJobs;
  /** Asked when something happens: they are made later. */
  parts: () => Connected;
}

export function createPresence(options: OwnPresenceOptions): { presence: Presence; vitals: VitalSigns } {
  const { config, name, app, events, held, stopping, onDrainRequested, parts } = options;
  const vitals = new VitalSigns({
    running: () => parts().attempts.running.byQueue,
    isOnFallback: () => parts().fallbackLane.isActive,
    isDraining: () => stopping.aborted,
  });
  let onNotice: ReturnType<typeof createNoticeHandler> | undefined;
  const presence: Presence = new Presence({
    url: config.databaseDirectUrl ?? config.databaseUrl,
    name,
    delivered: () => parts().claimer.delivered,
    serves: servesOf(app, () => parts().queues.current),
    vitals: () => vitals.read(),
    onDrainRequested,
    onNotice: (notice) => {
      onNotice ??= createNoticeHandler(parts());
      onNotice(notice);
    },
    restore: async (sql) => {
      const { restored, lost } = await held.restoreAll(sql, presence.owners);
      parts().attempts.running.lose(lost);
      if (restored.length > 0) events.publish('claims.restored', { count: restored.length });
    },
    onHeld: () => {
      events.publish('presence.held', { owner: presence.owner ?? '' });
      void parts().rowLooks.atQueues();
      void parts().rowLooks.atOwnJobs();
    },
    onQueuesChanged: () => void parts().rowLooks.atQueues(),
    onLeading: () => parts().maintenance.wakeAll(),
    onLost: (error) => events.publish('presence.lost', { error }),
  });
  return { presence, vitals };
}
