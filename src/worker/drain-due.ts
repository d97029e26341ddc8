/**
 * Runs the jobs that are due now, one after the other, in this process and without RabbitMQ: for tests.
 *
 * The claims, attempts and records are those of a worker. Guarantees: ends when nothing is due, jobs that were enqueued meanwhile included, or at a bound;
 * leaves no session behind.
 */
import { withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { ApplicationServices } from '#shared/postgres/application-services.ts';
import { Database } from '#shared/postgres/database.ts';
import { Presence } from '#shared/postgres/presence.ts';
import { admitJobs, findWaitedGates } from '#shared/postgres/statements/admit.ts';
import { promoteDueJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Config } from '#shared/settings/config.ts';
import { ArgsRoom } from './args-room.ts';
import type { Attempts } from './attempt.ts';
import { Claimer } from './claimer.ts';
import { createAttempts } from './create-attempts.ts';
import { HeldJobs } from './held-jobs.ts';
import { perform } from './perform.ts';
import { VitalSigns } from './vitals.ts';

/** A job that is due again at once, for ever, must not keep a test for ever. */
const MAX_RUNS = 10_000;
const PROMOTED_AT_ONCE = 1_000;
/** One that claims, one that records while the next claims. */
const CONNECTIONS = 2;
/** What the first session may take, in milliseconds. */
const HELD_DEADLINE_MS = 15_000;

export interface DrainOptions {
  app: App;
  config: Config;
  /** The name of its connections. */
  name: string;
  /** Open already. */
  services: ApplicationServices;
  events: Events;
}

/** Resolves with the ids of the jobs that ran, in their order; one that ran twice stands twice. Throws where it does not come to an end. */
export async function drainDue({ app, config, name, services, events }: DrainOptions): Promise<string[]> {
  const { databaseUrl: url } = config;
  const queues = [...app.queues.keys()];
  const types = [...app.definitions.keys()];
  const database = new Database({ url, name, min: 1, max: CONNECTIONS, events });
  const presence: Presence = new Presence({
    url,
    name,
    delivered: () => claimer.delivered,
    serves: { app: app.name, queues, types, slots: {}, schedules: [] },
    restore: async (sql) => {
      await held.restoreAll(sql, presence.owners);
    },
    onNotice: () => {},
    onHeld: () => {},
    onQueuesChanged: () => {},
    onLeading: () => {},
    onLost: () => {},
    onDrainRequested: () => {}, // it ends as soon as it can
    vitals: () => vitals.read(),
  });
  const vitals = new VitalSigns({ running: () => ({}), isOnFallback: () => true, isDraining: () => false });
  const room = new ArgsRoom(config.workerArgsMaxBytes);
  const held = new HeldJobs(room);
  const claimer: Claimer = new Claimer({ database, events, presence, room, held, types });
  const giveUp = new AbortController();
  const { attempts, notes } = createAttempts({
    ...{ app, config, events, database, services, claimer, held, presence, perform },
    onFreed: () => {},
    giveUp: giveUp.signal,
  });
  database.start();
  presence.start();
  try {
    await withDeadline(presence.toldOnce(), HELD_DEADLINE_MS, () => {
      return new Unavailable('no_presence', `Postgres gave no session within ${HELD_DEADLINE_MS} ms`);
    });
    return await runAll({ database, claimer, attempts, queues });
  } finally {
    giveUp.abort();
    await notes.stop();
    await presence.stop();
    await database.stop();
  }
}

interface RunParts {
  database: Database;
  claimer: Claimer;
  attempts: Attempts;
  queues: readonly string[];
}

async function runAll({ database, claimer, attempts, queues }: RunParts): Promise<string[]> {
  const wanted = queues.map((queue) => ({ queue, slots: 1 }));
  const ran: string[] = [];
  for (;;) {
    await database.query((sql) => promoteDueJobs(sql, PROMOTED_AT_ONCE, { byRelay: true }));
    await admitWaiting(database);
    const claims = await claimer.claimNext(wanted);
    if (claims.length === 0) return ran;
    for (const claim of claims) {
      await attempts.runClaimed(claim);
      ran.push(claim.id);
    }
    if (ran.length >= MAX_RUNS)
      throw new Error(`${ran.length} attempts have run and jobs are still due: does one enqueue itself?`);
  }
}

/** Lets through their gates who may; those that wait for a rate are not due. */
async function admitWaiting(database: Database): Promise<void> {
  const gates = await database.query((sql) => findWaitedGates(sql, '', PROMOTED_AT_ONCE));
  if (gates.length > 0) await database.query((sql) => admitJobs(sql, gates));
}
