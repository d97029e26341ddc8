// The third and the fourth way: private instances of the distribution's RabbitMQ, Postgres and Redis, or of embedded Postgres alone.
// Guarantees: data, ports and names of their own, no system service is touched; they listen on loopback alone; what was started is
// stopped, or recorded for the next run.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { discardFolder } from './data-folder.ts';
import { findEmbeddedPostgres } from './embedded-postgres.ts';
import { startKeyValueServer } from './key-value-server.ts';
import { findInstalledPostgres, inspectDistribution } from './machine.ts';
import { installPackages } from './packages.ts';
import { startPostgres } from './postgres.ts';
import { startRabbitmq } from './rabbitmq.ts';
import { startRabbitmqCluster } from './rabbitmq-cluster.ts';
import type { Need, PostgresBinaries, PrivateServersOptions, ProvidedServers } from './service-needs.ts';

/** One package has a server that is good for Redis and for Valkey. */
const packageNames = {
  rabbitmq: 'rabbitmq-server',
  postgres: 'postgresql',
  redis: 'redis-server',
  valkey: 'redis-server',
};

/** What is missing of the distribution's packages is installed first. */
export async function startPrivateServers(options: PrivateServersOptions): Promise<ProvidedServers> {
  const { needs, run, log } = options;
  const { missing } = await inspectDistribution(run);
  const packages = [
    ...new Set(needs.filter((need) => missing.includes(need)).map((need) => packageNames[need])),
  ];
  if (packages.length > 0) await installPackages({ packages, run, log });
  return startServers({ ...options, findBinaries: findInstalledPostgres });
}

/** A broker is not provided: `none` stands in its URLs, and the workers take their jobs straight from Postgres. */
export async function startEmbedded(options: PrivateServersOptions): Promise<ProvidedServers> {
  const needs: Need[] = options.needs.filter((need) => need !== 'rabbitmq');
  const findBinaries = async () => findEmbeddedPostgres(options.run);
  const servers = await startServers({ ...options, needs, findBinaries });
  return needs.length === options.needs.length
    ? servers
    : { ...servers, amqpUrl: 'none', managementUrl: 'none' };
}

type StartOptions = PrivateServersOptions & {
  findBinaries: () => Promise<PostgresBinaries | undefined> | PostgresBinaries | undefined;
};

async function startServers({ findBinaries, ...options }: StartOptions): Promise<ProvidedServers> {
  const { folder, needs, keepData, replicated, record } = options;
  const logFolder = join(folder, 'logs');
  mkdirSync(logFolder, { recursive: true });
  const folders = needs.map((need) => ({ need, folder: join(folder, need) }));
  const discard = () => {
    for (const server of folders) discardFolder(server.folder);
  };
  if (!keepData) discard();

  await using started = new AsyncDisposableStack();
  if (!keepData) started.defer(discard);
  const starts = folders.map(async ({ need, folder: serverFolder }) => {
    const serverOptions = { ...options, logFolder, folder: serverFolder };
    const startBroker = replicated ? startRabbitmqCluster : startRabbitmq;
    if (need === 'rabbitmq') return started.use(await startBroker(serverOptions)).urls;
    if (need === 'postgres')
      return started.use(await startPostgres({ ...serverOptions, binaries: await findBinaries() })).urls;
    return started.use(await startKeyValueServer({ ...serverOptions, need })).urls;
  });
  // All have to settle before anything is thrown, or the slower one would be left running.
  const outcomes = await Promise.allSettled(starts);
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
  if (failures.length > 0) throw failures[0];
  const urls = await Promise.all(starts);
  const stack = started.move();
  return Object.assign({}, ...urls, {
    stop: async () => stack.disposeAsync(),
    kill: () => record.killAll(),
  });
}
