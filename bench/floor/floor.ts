// The floor: what enqueueing and running a job cost where a program does the necessary input and output, and nothing else. No types, no checks, no
// retries, no repair; what it promises is Warren's promise: a row on disk before the answer, a message in a quorum queue, a record before the
// acknowledgement. Its distance to Warren is what Warren could still save. Knows nothing of Warren: a table and a queue of its own.
import type { Channel } from 'amqplib';
import amqp from 'amqplib';
import postgres from 'postgres';

export const QUEUE = 'floor';
/** How many jobs share a message at most. */
export const IDS_PER_MESSAGE = 32;

const SCHEMA = `
  create schema floor;
  create table floor.jobs (id bigint generated always as identity primary key, args jsonb not null, state text not null default 'available');
  create index on floor.jobs (id) where state = 'available'`; // who looks for jobs whose message is lost needs it

export interface FloorPlace {
  databaseUrl: string;
  amqpUrl: string;
}

export async function prepare({ databaseUrl, amqpUrl }: FloorPlace): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe(SCHEMA);
  await sql.end();
  const connection = await amqp.connect(amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await connection.close();
}

/** Returns how many messages that takes. */
export function publish(channel: Channel, ids: readonly string[]): number {
  let messages = 0;
  for (let start = 0; start < ids.length; start += IDS_PER_MESSAGE, messages += 1) {
    const body = Buffer.from(ids.slice(start, start + IDS_PER_MESSAGE).join());
    channel.publish('', QUEUE, body, { persistent: true });
  }
  return messages;
}

/** Hands over what has come together while `work` was busy, so many times at once; what does not fit waits for the next. */
export function inGroups<Item>(
  work: (group: Item[]) => Promise<void>,
  { atOnce, room = () => Number.POSITIVE_INFINITY }: { atOnce: number; room?: () => number },
): { add: (item: Item) => void; look: () => void } {
  const waiting: Item[] = [];
  let busy = 0;
  let isDue = false;
  const begin = () => {
    isDue = false;
    const size = Math.min(waiting.length, room());
    if (busy === atOnce || size <= 0) return;
    busy += 1;
    void work(waiting.splice(0, size)).finally(() => {
      busy -= 1;
      look();
    });
  };
  const look = () => {
    if (!isDue) setImmediate(begin);
    isDue = true;
  };
  return {
    add: (item) => {
      waiting.push(item);
      look();
    },
    look,
  };
}
