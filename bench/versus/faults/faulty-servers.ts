// The servers of the comparison as a fault breaks them: ended without warning, and started again with the data that they had.
import { join } from 'node:path';
import postgres from 'postgres';
import { waitUntil } from '../../../dev/wait-until.ts';
import { ServerProcess } from '../../../test/faults/stage/server-process.ts';
import { ManagementClient } from '../../../test/support/management-client.ts';
import type { Server } from '../contender.ts';
import type { VersusServers } from '../servers/servers.ts';
import { folder } from '../servers/servers.ts';

const READY_TIMEOUT_MS = 60_000;

export class FaultyServers {
  readonly #servers: VersusServers;
  readonly #postgres: ServerProcess;
  readonly #rabbitmq: ServerProcess;

  /** Throws where Postgres and RabbitMQ are not private instances of this run: only those may be broken. */
  constructor(servers: VersusServers) {
    this.#servers = servers;
    const record = join(folder, 'processes.json');
    const log = (name: string) => join(folder, 'logs', `${name}-again.log`);
    this.#postgres = new ServerProcess({ record, marker: /\/data-\d+$/, log: log('postgres') });
    this.#rabbitmq = new ServerProcess({ record, marker: /\/home$/, log: log('rabbitmq') });
    process.once('exit', () => this.kill());
  }

  /** At once: SIGKILL, and for Postgres its immediate shutdown, which is a crash too. Resolves when it is gone. */
  async break(server: Server): Promise<void> {
    if (server === 'postgres') await this.#postgres.stop('SIGQUIT');
    if (server === 'rabbitmq') await this.#rabbitmq.stop('SIGKILL');
    if (server === 'redis') {
      await Promise.all([this.#servers.redis.everysec.kill(), this.#servers.redis.always.kill()]);
    }
  }

  /** Resolves when it serves again. */
  async heal(server: Server): Promise<void> {
    if (server === 'postgres') {
      await this.#postgres.start();
      await waitUntil({ what: 'Postgres', check: () => this.#askPostgres(), timeoutMs: READY_TIMEOUT_MS });
    }
    if (server === 'rabbitmq') {
      await this.#rabbitmq.start();
      await waitUntil({ what: 'RabbitMQ', check: () => this.#askRabbitmq(), timeoutMs: READY_TIMEOUT_MS });
    }
    if (server === 'redis') {
      const { everysec, always } = this.#servers.redis;
      await Promise.all([everysec.startAgain(), always.startAgain()]);
    }
  }

  /** Ends what was started again. */
  kill(): void {
    this.#postgres.kill();
    this.#rabbitmq.kill();
  }

  async #askPostgres(): Promise<true> {
    const { databaseUrl } = this.#servers.services;
    const sql = postgres(databaseUrl, { max: 1, connect_timeout: 2, onnotice: () => {} });
    try {
      await sql`select 1`;
      return true;
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  async #askRabbitmq(): Promise<true> {
    const { managementUrl } = this.#servers.services;
    await new ManagementClient({ managementUrl, vhost: '/' }).request('GET', '/aliveness-test/%2F');
    return true;
  }
}
