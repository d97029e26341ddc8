// The naive way with Warren's own table and queue: a statement for the lookup, one for the insert, a channel held until the confirm. Enqueues only.
import amqp from 'amqplib';
import { prepareTopology } from '../../../src/shared/rabbitmq/topology.ts';
import { queueNames } from '../../stage/shop.ts';
import type { Contender } from '../contender.ts';
import { open } from './warren.ts';

const doesNotWork = () => Promise.reject(new Error('the naive way has no worker'));

export const naive: Contender = {
  name: 'naive',
  title: 'naive way',
  durability: 'fsync of the commit and the confirm of the quorum queue before the answer',
  recovery: 'none',
  servers: ['postgres', 'rabbitmq'],
  prepare: async ({ amqpUrl }) => {
    const connection = await amqp.connect(amqpUrl, { timeout: 10_000 });
    try {
      await prepareTopology(connection, queueNames);
    } finally {
      await connection.close();
    }
  },
  open,
  connect: doesNotWork,
  work: doesNotWork,
  programs: {
    api: ({ databaseUrl, amqpUrl }) => ({
      file: 'bench/enqueue/servers/naive.ts',
      env: { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl },
    }),
    worker: () => {
      throw new Error('the naive way has no worker');
    },
  },
};
