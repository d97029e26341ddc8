/**
 * The gauges that only Postgres knows, and the pool's own. A scrape costs three statements: two on small partial indexes, and the sum of the kept
 * counts, which is as fast whatever the number of jobs.
 */
import { isEnd, liveStates } from '#shared/job/transitions.ts';
import type { GaugeReading, GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { QueueCount } from '#shared/postgres/statements/counts.ts';
import { countJobs } from '#shared/postgres/statements/counts.ts';
import { countUnpublished, findQueueAges } from '#shared/postgres/statements/read.ts';
import { findUnservedTypes } from '#shared/postgres/statements/unserved-types.ts';

/** Rows may name queues that this process does not know. */
const UNKNOWN = 'unknown';

export function databaseGauges(database: Database, queues: readonly string[]): GaugeSource[] {
  return [
    {
      name: 'warren_queue_oldest_available_seconds',
      help: 'Time since the oldest job that waits in the queue was due; 0 where none waits.',
      labels: ['queue'],
      read: async () => {
        const ages = await database.query((sql) => findQueueAges(sql, queues));
        const byQueue = new Map(
          ages.map(({ queue, oldestAvailableSeconds }) => [queue, oldestAvailableSeconds]),
        );
        return queues.map((queue) => ({ labels: { queue }, value: byQueue.get(queue) ?? 0 }));
      },
    },
    {
      name: 'warren_jobs_unpublished',
      help: 'Available jobs whose message the broker should have confirmed seconds ago and has not (counted up to 100 000).',
      read: async () => [{ value: await database.query(countUnpublished) }],
    },
    {
      name: 'warren_postgres_connections_busy',
      help: 'Connections of the pool that run a statement now.',
      read: () => [{ value: database.load.busy }],
    },
    {
      name: 'warren_postgres_statements_waiting',
      help: 'Statements that wait now for a connection of the pool.',
      read: () => [{ value: database.load.waiting }],
    },
  ];
}

/** Waiting jobs that nobody alive knows. `isAsked` as below. */
export function unknownTypesGauge(database: Database, isAsked: () => boolean = () => true): GaugeSource {
  return {
    name: 'warren_jobs_unknown_type',
    help: 'Waiting jobs of types that no living worker has known for ten minutes (at most 100 pairs of queue and type); told by the API and by the leader.',
    labels: ['queue', 'type'],
    read: async () => {
      if (!isAsked()) return [];
      const unserved = await database.query(findUnservedTypes);
      return unserved.map(({ queue, type, jobs }) => ({ labels: { queue, type }, value: jobs }));
    },
  };
}

/** The jobs that have not ended. `isAsked` false: another process tells. What has ended is counted by `warren_jobs_finished_total`. */
export function jobsGauge(
  database: Database,
  queues: readonly string[],
  isAsked: () => boolean = () => true,
): GaugeSource {
  return {
    name: 'warren_jobs',
    help: 'Jobs that have not ended, by queue and state; told by the API and by the leader.',
    labels: ['queue', 'state'],
    read: async () => (isAsked() ? toReadings(await database.query(countJobs), queues) : []),
  };
}

function toReadings(counts: readonly QueueCount[], queues: readonly string[]): GaugeReading[] {
  const values = new Map<string, GaugeReading>();
  for (const queue of [...queues, UNKNOWN]) {
    for (const state of liveStates) values.set(`${queue} ${state}`, { labels: { queue, state }, value: 0 });
  }
  for (const { queue, state, count } of counts) {
    if (isEnd(state)) continue;
    const reading = values.get(`${queue} ${state}`) ?? values.get(`${UNKNOWN} ${state}`);
    if (reading !== undefined) reading.value += count;
  }
  return [...values.values()];
}
