/**
 * The gauges of a worker's /metrics: the lane that its jobs come by, its presence, its consumers, whether it leads, and its room for arguments. What
 * the fleet has in common is told by its leader alone.
 */

import { connectionGauge, depthGauges } from '#queue/broker-gauges.ts';
import { databaseGauges, jobsGauge, unknownTypesGauge } from '#queue/database-gauges.ts';
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import type { Standing } from './health.ts';
import { roomGauges } from './room-gauges.ts';
import type { Worker } from './worker.ts';

export function workerGauges(worker: Worker, queues: readonly string[]): GaugeSource[] {
  const { database, connection, argsRoom } = worker;
  const isLeader = () => worker.standing.isLeader;
  return [
    ...databaseGauges(database, queues),
    jobsGauge(database, queues, isLeader),
    unknownTypesGauge(database, isLeader),
    connectionGauge(connection),
    ...depthGauges(() => (isLeader() ? connection : undefined), queues),
    ...standingGauges(() => worker.standing),
    ...roomGauges(argsRoom),
  ];
}

function standingGauges(standing: () => Standing): GaugeSource[] {
  const toNumber = (is: boolean) => (is ? 1 : 0);
  return [
    {
      name: 'warren_worker_lane',
      help: 'Where this worker takes its jobs from: 1 at its lane, `rabbitmq` or `postgres` (the fallback), 0 at the other.',
      labels: ['lane'],
      read: () => {
        const { lane } = standing();
        return ['rabbitmq', 'postgres'].map((name) => ({
          labels: { lane: name },
          value: toNumber(name === lane),
        }));
      },
    },
    {
      name: 'warren_worker_present',
      help: 'Whether this worker holds the advisory lock by which others know that it lives; without it nothing is claimed.',
      read: () => [{ value: toNumber(standing().isPresent) }],
    },
    {
      name: 'warren_worker_leader',
      help: 'Whether this worker does the maintenance of the fleet. Exactly one should.',
      read: () => [{ value: toNumber(standing().isLeader) }],
    },
    {
      name: 'warren_worker_consumers',
      help: 'Consumers of this worker, by state: `registered` or `missing`.',
      labels: ['state'],
      read: () => {
        const { registered, wanted } = standing().consumers;
        return [
          { labels: { state: 'registered' }, value: registered },
          { labels: { state: 'missing' }, value: wanted - registered },
        ];
      },
    },
  ];
}
