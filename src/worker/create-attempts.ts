/**
 * What runs the attempts of a process's claims, connected with what keeps the words of their handlers and records their outcomes. Starts nothing.
 *
 * A worker has it, and so has what runs due jobs in a test (drain-due.ts): a job runs there as it does in a worker.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { ApplicationServices } from '#shared/postgres/application-services.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import type { Config } from '#shared/settings/config.ts';
import { Attempts } from './attempt.ts';
import type { Claimer } from './claimer.ts';
import type { CompleterOptions } from './completer.ts';
import { Completer } from './completer.ts';
import type { HeldJobs } from './held-jobs.ts';
import { JobNotes } from './job-notes.ts';
import { createJobTransactions } from './own-transaction.ts';
import type { Perform } from './perform.ts';

export interface AttemptParts {
  app: App;
  config: Config;
  events: Events;
  database: Database;
  services: ApplicationServices;
  claimer: Claimer;
  held: HeldJobs;
  presence: Presence;
  onFreed: CompleterOptions['onFreed'];
  /** Runs a handler, here or where it hurts nobody. */
  perform: Perform;
  /** Aborts when the process must stop. */
  giveUp: AbortSignal;
}

export function createAttempts({
  app,
  config,
  events,
  database,
  services,
  claimer,
  held,
  presence,
  onFreed,
  perform,
  giveUp,
}: AttemptParts): { attempts: Attempts; notes: JobNotes } {
  const notes = new JobNotes({ database, events, runs: (jobId) => claimer.holds(jobId) });
  const completer = new Completer({ database, events, held, presence, onFreed, notes, giveUp });
  const transactions = createJobTransactions(services.transactions, completer);
  const attempts = new Attempts({
    claimer,
    completer,
    definitions: app.definitions,
    resources: () => ({
      services: services.services,
      settings: config,
      sql: services.sql,
      middleware: app.middleware.perform,
      encryption: config.encryption,
      transactions,
      events,
    }),
    events,
    perform,
    giveUp,
  });
  return { attempts, notes };
}
