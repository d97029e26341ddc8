// Private servers that a run may break: their processes, and how to tell that they serve again.
// Guarantees: what was started again ends with this process, as what the services have started does.
import { join } from 'node:path';
import postgres from 'postgres';
import type { Services } from '../../../dev/services.ts';
import { waitUntil } from '../../../dev/wait-until.ts';
import { ManagementClient } from '../../support/management-client.ts';
import { ServerProcess } from './server-process.ts';

const READY_TIMEOUT_MS = 60_000;

export class BreakableServers {
  readonly services: Services;
  readonly postgres: ServerProcess;
  readonly rabbitmq: ServerProcess;

  /** `folder`: of the services. Throws where Postgres and RabbitMQ are not private instances of this run: only those may be broken. */
  constructor({ services, folder }: { services: Services; folder: string }) {
    this.services = services;
    const record = join(folder, 'processes.json');
    const log = (name: string) => join(folder, 'logs', `${name}-again.log`);
    this.postgres = new ServerProcess({ record, marker: /\/data-\d+$/, log: log('postgres') });
    this.rabbitmq = new ServerProcess({ record, marker: /\/home$/, log: log('rabbitmq') });
    process.once('exit', () => this.kill());
  }

  async postgresReady(): Promise<void> {
    const check = async () => {
      const sql = postgres(this.services.databaseUrl, { max: 1, connect_timeout: 2, onnotice: () => {} });
      try {
        await sql`select 1`;
        return true;
      } finally {
        await sql.end({ timeout: 1 });
      }
    };
    await waitUntil({ what: 'Postgres', check, timeoutMs: READY_TIMEOUT_MS });
  }

  async rabbitmqReady(): Promise<void> {
    const management = new ManagementClient({ managementUrl: this.services.managementUrl, vhost: '/' });
    await waitUntil({
      what: 'RabbitMQ',
      check: async () => await management.request('GET', '/aliveness-test/%2F'),
      timeoutMs: READY_TIMEOUT_MS,
      intervalMs: 200,
    });
  }

  /** Ends what was started again; the rest belongs to the services. */
  kill(): void {
    this.postgres.kill();
    this.rabbitmq.kill();
  }
}
