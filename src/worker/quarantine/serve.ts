/**
 * The other side of the quarantine: performs the one job that it is told, says how it ended, and lets go of everything.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import type { Abort } from '../abort.ts';
import type { Ending } from '../ending.ts';
import { perform } from '../perform.ts';
import type { PerformInstruction } from './quarantine.ts';
import type { Report } from './reports.ts';

/** One job runs here. */
const MAX_CONNECTIONS = 2;

export interface QuarantinedJob {
  app: App;
  instruction: PerformInstruction;
  abort: Abort;
  events: Events;
  /** Resolves when the report has been handed over. */
  report: (report: Report) => Promise<void>;
}

/** Resolves when the job has ended and its ending was reported. */
export async function serveQuarantine({
  app,
  instruction,
  abort,
  events,
  report,
}: QuarantinedJob): Promise<void> {
  const { claim, settings, place, name } = instruction;
  const services = new ApplicationServices(app, { ...place, name, max: MAX_CONNECTIONS, events });
  await services.open();
  const definition = app.definitions.get(claim.type);
  await report({ kind: 'started' });
  const resources = { services: services.services, settings, sql: services.sql, events };
  const ending: Ending =
    definition === undefined
      ? { kind: 'failed', message: `the quarantine has no job type "${claim.type}"` }
      : await perform(definition, claim, abort, resources);
  await report({ kind: 'ended', ending });
  await services.close();
}
