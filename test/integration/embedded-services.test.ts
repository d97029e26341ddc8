// The fourth way of dev/services.ts on this machine: embedded Postgres without a broker, in reach of its user wherever the checkout is.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import postgres from 'postgres';
import { describe, expect, test } from 'vitest';

import type { RunCommand } from '../../dev/command.ts';
import { runCommand } from '../../dev/command.ts';
import { readEnvironment } from '../../dev/environment.ts';
import { isPortFree } from '../../dev/free-port.ts';
import { readRunningProcess } from '../../dev/running-process.ts';
import { findEmbeddedObstacle } from '../../dev/services/embedded-postgres.ts';
import { startServices } from '../../dev/services.ts';
import { HANG_MS } from '../support/eventually.ts';
import { testFolder } from '../support/test-folder.ts';

const obstacle = await findEmbeddedObstacle(runCommand);
const isRoot = process.getuid?.() === 0;
const environment = readEnvironment({ PATH: '/usr/bin:/bin' });
const start = async (folder: string, run: RunCommand = runCommand, keepData = true) =>
  startServices({ folder, log: () => undefined, environment, embedded: true, keepData, run });

describe.skipIf(obstacle !== undefined)('embedded Postgres', () => {
  test('answers without a broker, keeps its data, and stopping leaves neither a process nor a listener', async () => {
    using folder = testFolder('embedded');
    const services = await start(folder.path);
    const { amqpUrl, managementUrl, databaseUrl } = services;
    expect({ amqpUrl, managementUrl }).toEqual({ amqpUrl: 'none', managementUrl: 'none' });
    await withSql(databaseUrl, async (sql) => sql`create table kept (id int)`);
    const pids = recordedPids(folder.path);
    expect(pids).toHaveLength(1);

    await services.stop();

    expect(pids.filter((pid) => readRunningProcess(pid) !== undefined)).toEqual([]);
    expect(await isPortFree(Number(new URL(databaseUrl).port))).toBe(true);
    expect(existsSync(join(folder.path, 'processes.json'))).toBe(false);
    await using again = await start(folder.path);
    expect(await withSql(again.databaseUrl, async (sql) => sql`select * from kept`)).toHaveLength(0);
  });

  test.runIf(isRoot)('runs as "nobody" where there is no user "postgres", and stays with it', async () => {
    using folder = testFolder('embedded-nobody');
    const nobody = Number((await runCommand('id', ['-u', 'nobody'], { timeoutMs: HANG_MS })).stdout);
    const withoutPostgres: RunCommand = async (command, args, options) =>
      command === 'id' && args[1] === 'postgres'
        ? { status: 1, stdout: '', stderr: 'no such user' }
        : runCommand(command, args, options);
    for (const run of [withoutPostgres, runCommand]) {
      await using services = await start(folder.path, run);
      const [pid] = recordedPids(folder.path);
      expect(statSync(`/proc/${pid}`).uid).toBe(nobody);
      await withSql(services.databaseUrl, async (sql) => sql`select 1`);
    }
  });

  test.runIf(isRoot)('runs from a copy where its user cannot enter the checkout', async () => {
    using folder = testFolder('embedded-out-of-reach');
    const outOfReach: RunCommand = async (command, args, options) =>
      args.includes('cd "$1"') ? { status: 2, stdout: '', stderr: '' } : runCommand(command, args, options);
    const services = await start(folder.path, outOfReach, false);
    const [pid = 0] = recordedPids(folder.path);
    expect(readRunningProcess(pid)?.commandLine).toMatch(/^\/tmp\/warren-\w+\/programs\/bin\/postgres/);
    await withSql(services.databaseUrl, async (sql) => sql`select 1`);
    await services.stop();
    expect(existsSync(join(folder.path, 'postgres'))).toBe(false);
  });
});

async function withSql<T>(databaseUrl: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 60 });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function recordedPids(folder: string): number[] {
  const { processes } = JSON.parse(readFileSync(join(folder, 'processes.json'), 'utf8'));
  return processes.map(({ pid }: { pid: number }) => pid);
}
