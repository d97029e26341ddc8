// When a run is over: not with the last answer, but when everything that was promised is so. Looks at the database, not at the contender's word.
import type { Channel, ChannelModel } from 'amqplib';
import { connect } from 'amqplib';
import postgres from 'postgres';
import { waitUntil } from '../../dev/wait-until.ts';
import { brokerQueue, prepareTopology } from '../../src/shared/rabbitmq/topology.ts';
import { queueNames } from '../stage/shop.ts';
import type { Place } from '../stage/stage.ts';

const TIMEOUT_MS = 60_000;
const LOOK_MS = 2;
const QUEUE = brokerQueue('default');

export class Settlement implements AsyncDisposable {
  readonly #sql: postgres.Sql;
  readonly #model: ChannelModel;
  readonly #channel: Channel;

  private constructor(sql: postgres.Sql, model: ChannelModel, channel: Channel) {
    this.#sql = sql;
    this.#model = model;
    this.#channel = channel;
  }

  static async open({ databaseUrl, amqpUrl }: Place): Promise<Settlement> {
    const model = await connect(amqpUrl, { timeout: 5_000, noDelay: true });
    await prepareTopology(model, queueNames);
    const sql = postgres(databaseUrl, { max: 1, connect_timeout: 10, onnotice: () => {} });
    return new Settlement(sql, model, await model.createChannel());
  }

  /** Resolves when a worker has done all of them. */
  async completed(jobs: number): Promise<void> {
    await this.#seen('the worker', async () => {
      const [row] = await this.#sql<{ jobs: number }[]>`
        select count(*)::int as jobs from warren.jobs where state = 'completed'`;
      return (row?.jobs ?? 0) >= jobs;
    });
  }

  /** Resolves when Warren's late mark is written too, so that its cost falls into the run that caused it. */
  async marked(): Promise<void> {
    await this.#seen('the marks', async () => (await this.#countUnmarked()) === 0);
  }

  async countJobs(): Promise<number> {
    const [row] = await this.#sql<{ jobs: number }[]>`select count(*)::int as jobs from warren.jobs`;
    return row?.jobs ?? 0;
  }

  /** Empties the table and the queue: every run begins alike. */
  async reset(): Promise<void> {
    await this.#sql`truncate warren.jobs`;
    await this.#channel.purgeQueue(QUEUE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end({ timeout: 2 });
    await this.#model.close();
  }

  async #countUnmarked(): Promise<number> {
    const [row] = await this.#sql<{ jobs: number }[]>`
      select count(*)::int as jobs from warren.jobs where published_at is null and state = 'available'`;
    return row?.jobs ?? 0;
  }

  async #seen(what: string, look: () => Promise<boolean>): Promise<void> {
    const check = async () => (await look()) || undefined;
    await waitUntil({ what, check, timeoutMs: TIMEOUT_MS, intervalMs: LOOK_MS });
  }
}
