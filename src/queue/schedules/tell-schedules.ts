/**
 * Tells the database of the schedules that an application's code defines: by every worker, at its start.
 *
 * Guarantees: a definition that is as it was told last changes nothing, so that what was set at run time since then stays, and a pause always; one that is
 * told differently wins for all its members. A schedule that is taken out of the code goes when no living worker tells of it.
 */
import { InvalidInput, Misconfigured } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { DefinedSchedule } from '#shared/postgres/statements/schedules.ts';
import {
  confirmSchedules,
  findForeignSchedules,
  readClock,
  setSchedule,
} from '#shared/postgres/statements/schedules.ts';
import { toDefinedSchedule } from './schedule-input.ts';

/** Throws `Misconfigured` where a definition is wrong, or living workers of another application define one of that name, and `Unavailable`. */
export async function tellSchedules(database: Database, app: App, encryption?: Encryption): Promise<void> {
  if (app.schedules.length === 0) return;
  const names = app.schedules.map(({ name }) => name);
  const [foreign] = await database.query((sql) => findForeignSchedules(sql, app.name, names));
  if (foreign !== undefined)
    throw new Misconfigured(
      `application "${foreign.app}", whose workers run, has a schedule "${foreign.name}", too: all applications on a database share their names`,
    );
  const now = await database.query(readClock);
  const defined = await Promise.all(
    app.schedules.map((schedule) => toDefined(app, schedule, { nowMs: now.getTime(), encryption })),
  );
  const told = defined.map((schedule) => ({ name: schedule.name, schedule, told: withoutTimes(schedule) }));
  const known = new Set(
    await database.query((sql) =>
      confirmSchedules(
        sql,
        app.name,
        told.map(({ name, told }) => ({ name, told })),
      ),
    ),
  );
  for (const { name, schedule, told: definition } of told)
    if (!known.has(name)) await database.query((sql) => setSchedule(sql, { schedule, told: definition }));
}

async function toDefined(
  app: App,
  { job, ...definition }: App['schedules'][number],
  options: { nowMs: number; encryption: Encryption | undefined },
): Promise<DefinedSchedule> {
  try {
    return await toDefinedSchedule(app, { ...definition, type: job.type }, options);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const issues = error.issues.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
    throw new Misconfigured(`schedule "${definition.name}" is wrong: ${issues || error.message}`, {
      cause: error,
    });
  }
}

/** What code says, and says again at the next start. */
function withoutTimes({ nextTick: _, ...definition }: DefinedSchedule): Omit<DefinedSchedule, 'nextTick'> {
  return definition;
}
