// The floor as a contender: its two programs, and its table from outside.
import amqp from 'amqplib';
import postgres from 'postgres';
import type { FloorPlace } from '../../floor/floor.ts';
import { prepare, publish, QUEUE } from '../../floor/floor.ts';
import type { Contender, Store } from '../contender.ts';

const CHUNK = 10_000;

export const floor: Contender = {
  name: 'floor',
  title: 'floor',
  durability: 'fsync of the commit before the answer; the broker confirms behind it',
  recovery: 'none',
  servers: ['postgres', 'rabbitmq'],
  prepare,
  open,
  connect: () => Promise.reject(new Error("the floor's API is its own program")),
  work: () => Promise.reject(new Error("the floor's worker is its own program")),
  settled: async () => {}, // it does nothing behind the confirm
  programs: {
    api: (places) => plan('request', places),
    worker: (places, concurrency) => plan('job', places, concurrency),
  },
};

/** With as many slots as Warren with prefetch 100. */
export const floorAhead: Contender = {
  ...floor,
  name: 'floor-ahead',
  title: 'floor, 500 slots',
  programs: {
    api: (places) => plan('request', places),
    worker: (places) => plan('job', places, 500),
  },
};

function plan(program: 'request' | 'job', { databaseUrl, amqpUrl }: FloorPlace, slots = 0) {
  const env = { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, VERSUS_CONCURRENCY: String(slots) };
  return { file: `bench/floor/${program}.ts`, env };
}

async function open({ databaseUrl, amqpUrl }: FloorPlace): Promise<Store> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  const connection = await amqp.connect(amqpUrl, { timeout: 10_000 });
  const channel = await connection.createConfirmChannel();
  return {
    enqueueMany: async (works) => {
      for (let start = 0; start < works.length; start += CHUNK) {
        const args = JSON.stringify(works.slice(start, start + CHUNK));
        const rows = await sql<{ id: string }[]>`
          insert into floor.jobs (args) select jsonb_array_elements(${args}::text::jsonb) returning id`;
        publish(
          channel,
          rows.map(({ id }) => id),
        );
        await channel.waitForConfirms();
      }
    },
    held: async () => {
      const rows = await sql<{ key: string }[]>`
        select args->>'key' as key from floor.jobs where state <> 'completed'`;
      return rows.map(({ key }) => key);
    },
    count: async () => {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from floor.jobs where state <> 'completed'`;
      return row?.count ?? 0;
    },
    empty: async () => {
      await sql`truncate floor.jobs`;
      await channel.purgeQueue(QUEUE);
    },
    close: async () => {
      await connection.close();
      await sql.end({ timeout: 2 });
    },
  };
}
