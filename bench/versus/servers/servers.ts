// The servers of a comparison: the stage's Postgres and RabbitMQ, two private Redis, and a database per contender.
import { join } from 'node:path';
import { createVhost } from '../../stage/places.ts';
import type { Stage } from '../../stage/stage.ts';
import { thisWarren } from '../../stage/warren.ts';
import type { Contender, Places } from '../contender.ts';
import { RedisServer } from './redis.ts';

export class VersusServers implements AsyncDisposable {
  readonly stage: Stage;
  readonly redis: Readonly<Record<'everysec' | 'always', RedisServer>>;

  private constructor(stage: Stage, redis: VersusServers['redis']) {
    this.stage = stage;
    this.redis = redis;
  }

  static async start(stage: Stage, log: (line: string) => void): Promise<VersusServers> {
    const start = (appendfsync: 'everysec' | 'always') =>
      RedisServer.start({
        appendfsync,
        folder: join(stage.folder, `redis-${appendfsync}`),
        record: stage.record,
        log,
      });
    return new VersusServers(stage, { everysec: await start('everysec'), always: await start('always') });
  }

  /** With a database of its own that has Warren's schema, for the orders, and the orders. */
  async placesOf(contender: Contender): Promise<Places> {
    const { services } = this.stage;
    const name = `versus_${contender.name.replaceAll('-', '_')}`;
    const { warren = thisWarren } = contender;
    const databaseUrl = await this.stage.createDatabase(name, { warren, hasOrders: true });
    const hasBroker = contender.servers.includes('rabbitmq') && services.amqpUrl !== 'none';
    const places = {
      databaseUrl,
      amqpUrl: hasBroker ? (await createVhost(services, name)).url : 'none',
      redisUrl: contender.appendfsync === undefined ? 'none' : this.redis[contender.appendfsync].url,
    };
    await contender.prepare(places);
    return places;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.redis.everysec.stop(), this.redis.always.stop()]);
  }
}
