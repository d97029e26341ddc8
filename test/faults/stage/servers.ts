// The RabbitMQ and the Postgres of a fault run: started once, broken by the rows, and given to each row as a database and a vhost of its own.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createDatabase, createVhost } from '../../../bench/stage/places.ts';
import type { RunCommand } from '../../../dev/command.ts';
import { runCommand } from '../../../dev/command.ts';
import { readEnvironment } from '../../../dev/environment.ts';
import { killRecorded } from '../../../dev/process-record.ts';
import { inspectDistribution } from '../../../dev/services/machine.ts';
import type { Services } from '../../../dev/services.ts';
import { startServices } from '../../../dev/services.ts';
import type { App } from '../../../src/shared/job/app.ts';
import type { migrate as Migrate } from '../../../src/shared/postgres/migrate/migrate.ts';
import type { ManagementClient } from '../../support/management-client.ts';
import { BreakableServers } from './breakable-servers.ts';

export const root = resolve(import.meta.dirname, '../../..');
/** Data, books and logs of a run. Two runs at once need two of them. */
export const folder = resolve(root, process.env['FAULT_FOLDER'] ?? '.services/faults');

const RABBITMQCTL = '/usr/lib/rabbitmq/bin/rabbitmqctl';

export class FaultServers extends BreakableServers {
  constructor(services: Services) {
    super({ services, folder });
    process.once('exit', () => {
      services.kill();
      killRecorded(join(folder, 'processes.json'));
    });
  }

  /** With the private node's own cookie, name and epmd. Throws what it says where it fails. */
  async rabbitmqctl(...args: string[]): Promise<string> {
    const env = { ...this.rabbitmq.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
    const result = await runCommand(RABBITMQCTL, ['--quiet', ...args], { timeoutMs: 60_000, env });
    if (result.status !== 0) throw new Error(`rabbitmqctl ${args.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** With the schema of this source tree. */
  async createDatabase(name: string, source: string): Promise<string> {
    const databaseUrl = await createDatabase(this.services.databaseUrl, name);
    const { migrate } = (await import(`${source}/shared/postgres/migrate/migrate.ts`)) as {
      migrate: typeof Migrate;
    };
    const { app } = (await import(`${source}/../examples/shop/app.ts`)) as { app: App };
    await migrate({ databaseUrl, app });
    return databaseUrl;
  }

  async createVhost(name: string): Promise<{ url: string; management: ManagementClient }> {
    return await createVhost(this.services, name);
  }

  async stop(): Promise<void> {
    this.kill();
    await this.services.stop();
  }
}

/** Private instances always: neither servers that somebody has configured nor containers are for us to kill. */
export async function startFaultServers(log: (line: string) => void): Promise<FaultServers> {
  mkdirSync(folder, { recursive: true });
  const environment = readEnvironment({ ...process.env, AMQP_URL: '', DATABASE_URL: '' });
  const services = await startServices({ folder, keepData: false, log, environment, run: runNoContainers });
  return new FaultServers(services);
}

const runNoContainers: RunCommand = async (command, ...rest) =>
  command === 'docker' ? { status: 1, stdout: '', stderr: 'not asked' } : await runCommand(command, ...rest);

/** Why these servers cannot be had on this machine as it is; undefined where they can. */
export async function findServerObstacle(): Promise<string | undefined> {
  const distribution = await inspectDistribution(runCommand);
  const missing = distribution.missing.filter((need) => need === 'rabbitmq' || need === 'postgres');
  if (!distribution.debian)
    return 'fault rows kill servers: private instances of the Debian packages, which this machine has not';
  if (missing.length > 0)
    return `fault rows kill private servers, and no package is installed for ${missing.join(' and ')}`;
  return undefined;
}
