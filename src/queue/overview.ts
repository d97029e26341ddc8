/**
 * How the whole fleet is, for whoever looks at it first: the two servers, what waits and runs, what Postgres and RabbitMQ each have of it, and what has
 * ended and failed of late.
 *
 * Guarantees: answers without RabbitMQ, whose numbers are null then; costs the same however many jobs there are; however many look, the numbers are a second
 * old at most; the curve and what fails are read every ten seconds behind those who look, and are a minute old at most. Changes nothing.
 */
import { cached, kept } from '#shared/base/cached.ts';
import type { Check } from '#shared/base/health-check.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { FailingType } from '#shared/postgres/statements/failing-types.ts';
import { findFailingTypes } from '#shared/postgres/statements/failing-types.ts';
import { countUnpublished } from '#shared/postgres/statements/read.ts';
import type { EndsOfMinute } from '#shared/postgres/statements/recent-ends.ts';
import { findRecentEnds } from '#shared/postgres/statements/recent-ends.ts';
import { checkRabbitmq } from '#shared/rabbitmq/check-rabbitmq.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import { DEAD_LETTERS } from '#shared/rabbitmq/queue-depth.ts';
import type { Browser, QueueOverview } from './browse.ts';
import type { TypeControl } from './type-control.ts';
import type { WorkerOverview, Workers } from './workers.ts';

const FRESH_MS = 1_000;
const CURVE_FRESH_MS = 10_000;
const CURVE_STALE_MS = 60_000;
export const CURVE_MINUTES = 60;

/** The workers of all applications on the database, in numbers. */
export interface FleetOverview {
  /** How many are in each state. */
  states: Record<WorkerOverview['state'], number>;
  /** How many jobs they run at once at most, all together. */
  slots: number;
  /** How many are of each version of Warren. */
  versions: Record<string, number>;
  /** How many take their jobs straight from Postgres. */
  onPostgres: number;
  /** One does the maintenance. */
  isLed: boolean;
}

export interface Overview {
  /** Those of the application in its order, then those of others. */
  queues: QueueOverview[];
  rabbitmq: Check;
  workers: FleetOverview;
  /** Messages in RabbitMQ that no worker has yet, by queue, each of one job or several. Null without RabbitMQ. */
  messages: Record<string, number> | null;
  /** Messages that nobody could read. Null without RabbitMQ. */
  deadLetters: number | null;
  /** Jobs that could run and whose message RabbitMQ has not confirmed. */
  unpublished: number;
  /** The last hour by minute, the oldest first; minutes in which nothing has ended are left out. */
  ends: EndsOfMinute[];
  /** Types whose jobs have failed more often than they were completed, within that hour, those with most failures first. */
  failing: Omit<FailingType, 'message'>[];
  pausedTypes: string[];
}

/** Throws `Unavailable` where Postgres cannot tell now. */
export type FindOverview = () => Promise<Overview>;

export interface OverviewOptions {
  database: Database;
  connection: BrokerConnection;
  browser: Pick<Browser, 'queues' | 'depths'>;
  workers: Pick<Workers, 'list'>;
  types: Pick<TypeControl, 'list'>;
}

export function createOverview(options: OverviewOptions): FindOverview {
  const { database, connection, browser, workers, types } = options;
  const age = { freshMs: CURVE_FRESH_MS, staleMs: CURVE_STALE_MS };
  const ends = kept(() => database.query((sql) => findRecentEnds(sql, CURVE_MINUTES)), age);
  const failing = kept(() => database.query((sql) => findFailingTypes(sql, CURVE_MINUTES)), age);
  return cached(async () => {
    // One after the other: connections that were opened for a look would cost many times what the statements do.
    const queues = await browser.queues();
    const depths = await browser.depths();
    const unpublished = await database.query(countUnpublished);
    const present = await workers.list();
    const recent = await ends();
    const failingTypes = await failing();
    const told = await types.list();
    const messages = depths && queues.map(({ name }) => [name, depths.get(name)?.ready ?? 0] as const);
    return {
      queues,
      rabbitmq: checkRabbitmq(connection),
      workers: toFleet(present),
      messages: messages === undefined ? null : Object.fromEntries(messages),
      deadLetters: depths?.get(DEAD_LETTERS)?.ready ?? null,
      unpublished,
      ends: recent,
      failing: failingTypes.map(({ message: _, ...type }) => type), // an error may quote what its type hides
      pausedTypes: told.flatMap(({ type, paused }) => (paused ? [type] : [])),
    };
  }, FRESH_MS);
}

function toFleet(workers: readonly WorkerOverview[]): FleetOverview {
  const states = { working: 0, draining: 0, silent: 0 };
  const versions: Record<string, number> = {};
  let slots = 0;
  for (const { state, version, slots: each } of workers) {
    states[state] += 1;
    versions[version ?? 'unknown'] = (versions[version ?? 'unknown'] ?? 0) + 1;
    if (state === 'working') slots += Object.values(each).reduce((sum, count) => sum + count, 0);
  }
  const onPostgres = workers.filter(({ lane, state }) => lane === 'postgres' && state !== 'silent').length;
  return { states, slots, versions, onPostgres, isLed: workers.some(({ isLeader }) => isLeader) };
}
