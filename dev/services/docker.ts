// The second way: containers from compose.yaml, under a project name of our own.
// Published on loopback at ports that Docker picks, so that nothing that exists is in the way or disturbed.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

import type { CommandResult, RunCommand } from '../command.ts';
import type { Log, Need, ProvidedServers } from './service-needs.ts';

export type DockerOptions = {
  readonly folder: string;
  readonly composeFile: string;
  readonly needs: readonly Need[];
  readonly keepData: boolean;
  readonly run: RunCommand;
  readonly log: Log;
};

/** The first start may have to pull the images. */
const upTimeoutMs = 600_000;
const downTimeoutMs = 60_000;

export async function startContainers(options: DockerOptions): Promise<ProvidedServers> {
  const { needs, keepData, log } = options;
  const compose = composeCommand(options);
  if (!keepData) await compose(['down', '--volumes', '--remove-orphans'], downTimeoutMs);
  const running = (await compose(['ps', '--services', '--status', 'running'], downTimeoutMs)).stdout.split(
    '\n',
  );
  const started = needs.filter((need) => !running.includes(need));
  const stopArgs = keepData ? ['stop', ...started] : ['down', '--volumes'];
  let stopped = started.length === 0 && keepData;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await compose(stopArgs, downTimeoutMs);
  };
  try {
    await compose(['up', '--detach', '--wait', ...needs], upTimeoutMs, log);
    const urls = await Promise.all(needs.map(async (need) => urlsOf[need](compose)));
    return Object.assign({}, ...urls, { stop, kill: () => undefined });
  } catch (error) {
    await stop();
    throw error;
  }
}

type Compose = (args: readonly string[], timeoutMs: number, log?: Log) => Promise<CommandResult>;

function composeCommand({ run, composeFile, folder }: DockerOptions): Compose {
  const first = [
    'compose',
    '--project-name',
    composeProject(folder),
    '--file',
    composeFile,
    ...['redis', 'valkey'].flatMap((profile) => ['--profile', profile]), // known to every command, started where they are named
    '--progress',
    'plain',
  ];
  return async (args, timeoutMs, log) => {
    const result = await run('docker', [...first, ...args], {
      timeoutMs,
      ...(log === undefined ? {} : { onLine: log }),
    });
    if (result.status === 0) return result;
    const last = result.stderr.trim().split('\n').at(-1) ?? '';
    throw new Error(`docker compose ${args[0]} failed: ${last}`);
  };
}

/** One project per folder: two checkouts on one machine do not share containers. */
export function composeProject(folder: string): string {
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 8);
  return `warren-${basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')}-${hash}`;
}

const urlsOf = {
  rabbitmq: rabbitmqUrls,
  postgres: postgresUrls,
  redis: async (compose: Compose) => ({
    redisUrl: `redis://${await publishedAddress(compose, 'redis', 6_379)}`,
  }),
  valkey: async (compose: Compose) => ({
    valkeyUrl: `redis://${await publishedAddress(compose, 'valkey', 6_379)}`,
  }),
};

async function rabbitmqUrls(compose: Compose): Promise<{ amqpUrl: string; managementUrl: string }> {
  const [amqp, management] = await Promise.all([
    publishedAddress(compose, 'rabbitmq', 5_672),
    publishedAddress(compose, 'rabbitmq', 15_672),
  ]);
  return { amqpUrl: `amqp://warren:warren@${amqp}`, managementUrl: `http://warren:warren@${management}` };
}

async function postgresUrls(compose: Compose): Promise<{ databaseUrl: string }> {
  return {
    databaseUrl: `postgres://warren:warren@${await publishedAddress(compose, 'postgres', 5_432)}/warren`,
  };
}

async function publishedAddress(compose: Compose, service: Need, port: number): Promise<string> {
  const { stdout } = await compose(['port', service, String(port)], downTimeoutMs);
  const address = /^127\.0\.0\.1:\d+$/m.exec(stdout)?.[0];
  if (address === undefined)
    throw new Error(`docker compose port ${service} ${port} answered ${JSON.stringify(stdout)}`);
  return address;
}
