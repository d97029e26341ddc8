// A place as the benchmark fills and watches it: rows by `generate_series`, as Warren writes them, their messages by its publisher.
import type { Channel, ChannelModel } from 'amqplib';
import { connect } from 'amqplib';
import postgres from 'postgres';
import { waitUntil } from '../../dev/wait-until.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import type { QueueType } from '../../src/shared/rabbitmq/topology.ts';
import { brokerQueue } from '../../src/shared/rabbitmq/topology.ts';
import { app, queueNames } from '../stage/shop.ts';
import type { Place } from '../stage/stage.ts';

const PUBLISHED_AT_ONCE = 2_000;
const LOOK_MS = 50;
const CONNECT_TIMEOUT_MS = 10_000;
const DRAIN_TIMEOUT_MS = 300_000;

export interface Batch {
  firstId: number;
  jobs: number;
  queue: string;
}

export interface BatchOptions {
  jobs: number;
  type: string;
  args?: unknown;
  /** Defaults to `default`. */
  queue?: string;
}

export interface Progress {
  /** From the first start to the last end of its jobs, by the database's clock. */
  seconds: number;
  perSecond: number;
}

/** As the enqueuer has it: a message holds as many jobs as one channel runs at once. */
const mostTogether = (queue: string) => app.queues.get(queue)?.prefetch ?? 1;

export class Backlog implements AsyncDisposable {
  readonly sql: postgres.Sql;
  readonly #model: ChannelModel;
  readonly #publisher: Publisher;
  readonly #asking: Channel;

  private constructor(parts: {
    sql: postgres.Sql;
    model: ChannelModel;
    publisher: Publisher;
    asking: Channel;
  }) {
    this.sql = parts.sql;
    this.#model = parts.model;
    this.#publisher = parts.publisher;
    this.#asking = parts.asking;
  }

  /** `queueType` as the programs of the place have it. */
  static async open({ databaseUrl, amqpUrl }: Place, queueType: QueueType = 'quorum'): Promise<Backlog> {
    const options = { url: amqpUrl, name: 'bench', channels: 4, queues: queueNames, queueType };
    const publisher = new Publisher({ ...options, events: new Events() });
    publisher.start();
    await waitUntil({
      what: 'the publisher',
      check: () => publisher.ready || undefined,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    const model = await connect(amqpUrl, { timeout: 5_000, noDelay: true });
    const asking = await model.createChannel();
    const sql = postgres(databaseUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
    return new Backlog({ sql, model, publisher, asking });
  }

  /** Rows that are available and published, and their messages. */
  async add({ jobs, type, args = {}, queue = 'default' }: BatchOptions): Promise<Batch> {
    const batch = { firstId: await this.#reserveIds(jobs), jobs, queue };
    await this.sql`
      insert into warren.jobs (id, type, queue, args, max_attempts, state, published_at)
      select id, ${type}, ${queue}, ${JSON.stringify(args)}::text::jsonb, 10, 'available', now()
      from generate_series(${batch.firstId}::bigint, ${batch.firstId + jobs - 1}::bigint) as id`;
    await this.#publish(batch, type);
    return batch;
  }

  /** Rows of jobs that are completed, long ago. */
  async addFinished(jobs: number): Promise<void> {
    const firstId = await this.#reserveIds(jobs);
    await this.sql`
      insert into warren.jobs (id, type, queue, args, max_attempts, state, published_at, attempt, fence, owner,
        run_at, created_at, started_at, finished_at)
      select id, 'bench-trivial', 'default', '{}', 10, 'completed', past, 1, 1, 1, past, past, past, past
      from generate_series(${firstId}::bigint, ${firstId + jobs - 1}::bigint) as id,
        lateral (select now() - interval '1 day') as day(past)`;
  }

  /** What autovacuum would do sooner or later, in the middle of a measurement. */
  async settle(): Promise<void> {
    await this.sql`vacuum (analyze) warren.jobs`;
    await this.sql`checkpoint`;
  }

  /** Resolves when every job of the batch has ended; throws where one did not complete, or the queue is not empty. */
  async done({ firstId, jobs, queue }: Batch): Promise<Progress> {
    await this.#drained(queue);
    const [row] = await this.sql<{ completed: number; seconds: number }[]>`
      select count(*) filter (where state = 'completed')::int as completed,
        extract(epoch from max(finished_at) - min(started_at))::float8 as seconds
      from warren.jobs where id >= ${firstId} and id < ${firstId + jobs}`;
    if (row?.completed !== jobs) throw new Error(`${row?.completed} of ${jobs} jobs are completed`);
    return { seconds: row.seconds, perSecond: jobs / row.seconds };
  }

  /** Resolves when nothing waits or runs, with the seconds from the first insert to the last end of all that is in the table. */
  async ended(queue: string): Promise<number> {
    await this.#drained(queue);
    const [row] = await this.sql<{ seconds: number | null }[]>`
      select extract(epoch from max(finished_at) - min(created_at))::float8 as seconds from warren.jobs`;
    return row?.seconds ?? 0;
  }

  /** Ready messages of the queue, from its leader. */
  async depth(queue: string): Promise<number> {
    return (await this.#asking.checkQueue(brokerQueue(queue))).messageCount;
  }

  async clear(): Promise<void> {
    await this.sql`truncate warren.jobs`;
    for (const queue of queueNames) await this.#asking.purgeQueue(brokerQueue(queue));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher.stop();
    await this.sql.end({ timeout: 2 });
    await this.#model.close();
  }

  async #reserveIds(count: number): Promise<number> {
    const [row] = await this.sql<{ last: string }[]>`
      select setval('warren.jobs_id_seq', nextval('warren.jobs_id_seq') + ${count}::bigint) as last`;
    return Number(row?.last) - count;
  }

  async #publish({ firstId, jobs, queue }: Batch, type: string): Promise<void> {
    for (let published = 0; published < jobs; published += PUBLISHED_AT_ONCE) {
      const count = Math.min(jobs - published, PUBLISHED_AT_ONCE);
      const group = Array.from({ length: count }, (_, n) => ({
        id: String(firstId + published + n),
        type,
        queue,
        fence: 0,
      }));
      const confirmed = await this.#publisher.publishAll(group, mostTogether);
      if (confirmed.length < count) throw new Error('RabbitMQ did not confirm the messages of the backlog');
    }
  }

  async #drained(queue: string): Promise<void> {
    const what = `the jobs in ${queue}`;
    const isEmpty = async () => ((await this.depth(queue)) === 0 ? true : undefined);
    await waitUntil({ what, check: isEmpty, timeoutMs: DRAIN_TIMEOUT_MS, intervalMs: LOOK_MS });
    const isDone = async () => ((await this.#countLive(queue)) === 0 ? true : undefined);
    await waitUntil({ what, check: isDone, timeoutMs: 30_000, intervalMs: LOOK_MS });
  }

  async #countLive(queue: string): Promise<number> {
    const [row] = await this.sql<{ live: number }[]>`
      select (select count(*) from warren.jobs where state = 'available' and queue = ${queue})::int
        + (select count(*) from warren.jobs where state = 'running')::int as live`;
    return row?.live ?? 0;
  }
}
