/**
 * Runs a handler in a process that runs nothing else, ever: a job whose worker has died twice while it held it. If it takes its process down, it is
 * the one, and nobody else is hurt.
 *
 * Guarantees: four such processes at a time, each for one attempt; the rest is as of every isolate (isolate.ts). Never rejects.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { ConnectionPlace } from '#shared/postgres/connection-options.ts';
import type { Ending } from '../ending.ts';
import type { Perform } from '../perform.ts';
import { Isolate } from './isolate.ts';
import { performIsolated } from './perform-isolated.ts';
import { IsolatePool } from './pool.ts';
import { startProcess } from './process.ts';

const PROCESSES = 4;

export interface QuarantineOptions {
  /** Without a module of its own nothing can be run elsewhere. */
  app: Pick<App, 'module'>;
  events: Events;
  /** Where its database is. */
  place: ConnectionPlace;
  /** The worker's name; the process's connection shows as `<name> quarantine`. */
  name: string;
  owners: () => readonly string[];
}

export function createQuarantine({
  app: { module },
  events,
  place,
  name,
  owners,
}: QuarantineOptions): Perform {
  if (module === undefined) return async () => nowhereToRun();
  const start = { module, place, name: `${name} quarantine` };
  const pool = new IsolatePool({
    max: PROCESSES,
    idleMs: 0,
    start: () => new Isolate(startProcess({ events }), start, events),
  });
  return (definition, claim, abort, { settings, encryption }) =>
    performIsolated({
      ...{ pool, owners, definition, claim, abort },
      resources: { settings, encryption }, // that it starts was told before
      code: 'quarantine_failed',
      died: (_isolate, how) => ({
        kind: 'crashed',
        message: `worker_crashed: the job took a process of its own down (${how})`,
      }),
    });
}

/** Here it would take everybody down again, and nowhere else is it known. */
function nowhereToRun(): Ending {
  return {
    kind: 'crashed',
    message:
      'worker_crashed: the job took its process down twice, and cannot be run in one of its own: the application does not name its module (defineApp)',
  };
}
