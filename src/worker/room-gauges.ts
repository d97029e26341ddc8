/**
 * The gauges of the room for arguments (args-room.ts).
 */
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import type { ArgsRoom } from './args-room.ts';

export function roomGauges(room: ArgsRoom): GaugeSource[] {
  return [
    {
      name: 'warren_worker_args_bytes',
      help: 'Bytes of the arguments (JSON text) of the jobs that this worker has claimed; WORKER_ARGS_MAX_BYTES bounds them.',
      read: () => [{ value: room.takenBytes }],
    },
    {
      name: 'warren_worker_args_waiting',
      help: 'Deliveries that wait for room for the arguments of their jobs.',
      read: () => [{ value: room.waiting }],
    },
  ];
}
