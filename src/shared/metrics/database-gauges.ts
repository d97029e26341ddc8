/**
 * The gauges that only Postgres knows, the same in every process. Each scrape costs two statements on small partial indexes.
 */

import type { Database } from '../postgres/database.ts';
import { countUnpublished, findQueueAges } from '../postgres/job-queries.ts';
import type { GaugeSource } from './gauge-source.ts';

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
      help: 'Available jobs whose message the broker has not confirmed (counted up to 100 000).',
      read: async () => [{ value: await database.query(countUnpublished) }],
    },
  ];
}
