// The servers of the comparison as a fault breaks them: ended without warning, and started again with the data that they had.
import { BreakableServers } from '../../../test/faults/stage/breakable-servers.ts';
import type { Server } from '../contender.ts';
import type { VersusServers } from '../servers/servers.ts';

export class FaultyServers {
  readonly #redis: VersusServers['redis'];
  readonly #others: BreakableServers;

  /** Throws where Postgres and RabbitMQ are not private instances of this run. */
  constructor({ redis, stage }: VersusServers) {
    this.#redis = redis;
    this.#others = new BreakableServers(stage);
  }

  /** At once: SIGKILL, and for Postgres its immediate shutdown, which is a crash too. Resolves when it is gone. */
  async break(server: Server): Promise<void> {
    if (server === 'postgres') await this.#others.postgres.stop('SIGQUIT');
    if (server === 'rabbitmq') await this.#others.rabbitmq.stop('SIGKILL');
    if (server === 'redis') await Promise.all([this.#redis.everysec.kill(), this.#redis.always.kill()]);
  }

  /** Resolves when it serves again. */
  async heal(server: Server): Promise<void> {
    if (server === 'postgres') {
      await this.#others.postgres.start();
      await this.#others.postgresReady();
    }
    if (server === 'rabbitmq') {
      await this.#others.rabbitmq.start();
      await this.#others.rabbitmqReady();
    }
    if (server === 'redis')
      await Promise.all([this.#redis.everysec.startAgain(), this.#redis.always.startAgain()]);
  }

  /** Ends what was started again. */
  kill(): void {
    this.#others.kill();
  }
}
