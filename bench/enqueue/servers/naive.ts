// The naive way: a statement for the lookup, a statement for the insert, and a channel of the pool held until the broker has confirmed.
// The same row, the same message and the same pool sizes as Warren's; no group commit. Answers after the confirm.
import type { ConfirmChannel } from 'amqplib';
import { connect } from 'amqplib';
import { createPool } from 'generic-pool';
import postgres from 'postgres';
import { findOrders } from '../../../examples/shop/orders.ts';
import { messageOptions } from '../../../src/shared/rabbitmq/message.ts';
import { EXCHANGE } from '../../../src/shared/rabbitmq/topology.ts';
import { presentOrder, requireSetting, serveOrders } from './serve.ts';

const [type, queue] = ['process-order', 'default'];
const sql = postgres(requireSetting('DATABASE_URL'), { max: 10, fetch_types: false });
const connection = await connect(requireSetting('AMQP_URL'));
const channels = createPool<ConfirmChannel>(
  {
    create: async () => await connection.createConfirmChannel(),
    destroy: async (channel) => await channel.close(),
  },
  { min: 4, max: 4 },
);

await serveOrders(async (orderId) => {
  const [order] = await findOrders(sql, [orderId]);
  if (order === undefined) return undefined;
  const [job] = await sql<{ id: string }[]>`
    insert into warren.jobs (type, queue, args, max_attempts, state)
    values (${type}, ${queue}, ${JSON.stringify({ orderId })}::text::jsonb, 10, 'available') returning id`;
  if (job === undefined) throw new Error('an insert returns its row');
  const channel = await channels.acquire();
  try {
    await publish(channel, job.id);
  } finally {
    await channels.release(channel);
  }
  return presentOrder(order, job.id);
});

function publish(channel: ConfirmChannel, id: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onConfirm = (error: unknown) => (error == null ? resolve() : reject(error));
    channel.publish(EXCHANGE, queue, Buffer.from(id), messageOptions({ id, type }), onConfirm);
  });
}
