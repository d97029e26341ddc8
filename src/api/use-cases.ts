/**
 * The use cases of a client under the names by which the routes ask for them.
 */
import type { QueueClient } from '#queue/client.ts';
import type { AppDependencies } from './app.ts';

type UseCases =
  | 'database'
  | 'enqueuer'
  | 'control'
  | 'bulk'
  | 'queueControl'
  | 'typeControl'
  | 'browser'
  | 'overview'
  | 'explain'
  | 'workers'
  | 'audit'
  | 'deadLetters'
  | 'watcher'
  | 'waiting'
  | 'jobEvents'
  | 'schedules'
  | 'limits'
  | 'batches'
  | 'check';

export function useCasesOf(client: QueueClient): Pick<AppDependencies, UseCases> {
  const { database, enqueuer, control, bulk, queueControl, typeControl, browser, watcher } = client;
  const { overview, explain, workers, audit, deadLetters, waiting, jobEvents, schedules, limits, batches } =
    client;
  return {
    database,
    enqueuer,
    control,
    bulk,
    queueControl,
    typeControl,
    browser,
    overview,
    explain,
    workers,
    audit,
    deadLetters,
    watcher,
    waiting,
    jobEvents,
    schedules,
    limits,
    batches,
    check: () => client.check(),
  };
}
