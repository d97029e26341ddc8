// The floor of a job, a program: take deliveries, claim the jobs of all that came together as far as there are slots, run their handlers, record what
// has ended together, acknowledge. A claim does not wait for the disk; a record does.
import type { ConsumeMessage } from 'amqplib';
import amqp from 'amqplib';
import postgres from 'postgres';
import { requireSetting } from '../enqueue/servers/serve.ts';
import { createPerform } from '../versus/programs/perform.ts';
import { inGroups, QUEUE } from './floor.ts';

interface Delivered {
  id: string;
  delivery: { message: ConsumeMessage; left: number };
}

const STATEMENTS_AT_ONCE = 2;
const slots = Number(requireSetting('VERSUS_CONCURRENCY'));
const perform = createPerform(process.env);
const options = { max: STATEMENTS_AT_ONCE, fetch_types: false };
const databaseUrl = requireSetting('DATABASE_URL');
const claiming = postgres(databaseUrl, { ...options, connection: { synchronous_commit: 'off' } });
const recording = postgres(databaseUrl, options);
const connection = await amqp.connect(requireSetting('AMQP_URL'), { noDelay: true });
const channel = await connection.createChannel();
let running = 0;

const claims = inGroups<Delivered>(
  async (group) => {
    running += group.length;
    const rows = await claiming<{ id: string; args: Parameters<typeof perform>[0] }[]>`
      update floor.jobs set state = 'running' where id = any(${listIds(group)}::bigint[]) and state = 'available' returning id, args`;
    const args = new Map(rows.map((row) => [row.id, row.args]));
    for (const delivered of group) {
      const work = args.get(delivered.id);
      if (work !== undefined) void run(delivered, work);
    }
  },
  { atOnce: STATEMENTS_AT_ONCE, room: () => slots - running },
);
const records = inGroups<Delivered>(
  async (group) => {
    await recording`
      update floor.jobs set state = 'completed' where id = any(${listIds(group)}::bigint[]) and state = 'running'`;
    for (const { delivery } of group) {
      delivery.left -= 1;
      if (delivery.left === 0) channel.ack(delivery.message);
    }
  },
  { atOnce: STATEMENTS_AT_ONCE },
);

/** As Postgres writes an array: without the server's types the client cannot. */
function listIds(group: readonly Delivered[]): string {
  return `{${group.map(({ id }) => id).join()}}`;
}

async function run(delivered: Delivered, work: Parameters<typeof perform>[0]): Promise<void> {
  await perform(work);
  running -= 1;
  records.add(delivered);
  claims.look();
}

await channel.prefetch(slots);
await channel.consume(QUEUE, (message) => {
  if (message === null) throw new Error('the queue is gone');
  const ids = message.content.toString('latin1').split(',');
  const delivery = { message, left: ids.length };
  for (const id of ids) claims.add({ id, delivery });
});
