/**
 * What a process knows of RabbitMQ: whether it is connected, and how many messages and consumers the queues have.
 *
 * Asking for the depths opens a channel for a moment, so the answer is kept for a while, however many scrape. AMQP tells nothing of messages that are
 * delivered and not acknowledged, nor how many jobs a message carries: how many wait and run, Postgres tells.
 */
import { cached } from '#shared/base/cached.ts';
import type { GaugeReading, GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import { DEAD_LETTERS, findDepthsNow } from '#shared/rabbitmq/queue-depth.ts';

const FRESH_MS = 10_000;

/** Whether this connection is open. No number where no broker is configured. */
export function connectionGauge(connection: BrokerConnection): GaugeSource {
  return {
    name: 'warren_broker_connected',
    help: 'Whether this process has its connection to RabbitMQ: 1 or 0. Left out where `AMQP_URL=none`.',
    read: () => {
      if (!connection.isConfigured) throw new Error('no broker is configured');
      return [{ value: connection.model === undefined ? 0 : 1 }];
    },
  };
}

/** The depths of the queues, and of the dead letters. `connection` gives none where this process is not the one to ask. */
export function depthGauges(
  connection: () => BrokerConnection | undefined,
  queues: readonly string[],
): GaugeSource[] {
  const depths = cached(async () => {
    const open = connection();
    return open === undefined ? undefined : await findDepthsNow(open, [...queues, DEAD_LETTERS]);
  }, FRESH_MS);
  const read = async (of: 'ready' | 'consumers'): Promise<GaugeReading[]> =>
    [...((await depths()) ?? [])].map(([queue, depth]) => ({ labels: { queue }, value: depth[of] }));
  return [
    {
      name: 'warren_queue_messages_ready',
      help: 'Messages in the queue in RabbitMQ that no consumer has yet, each of one to 16 jobs; queue `dead`: the dead letters.',
      labels: ['queue'],
      read: () => read('ready'),
    },
    {
      name: 'warren_queue_consumers',
      help: 'Consumers that RabbitMQ has on the queue, of all workers.',
      labels: ['queue'],
      read: () => read('consumers'),
    },
  ];
}
