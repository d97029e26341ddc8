// The private servers of dev/services.ts on this machine: they work, they end without a trace, and a killed owner is cleaned up after.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import amqplib from 'amqplib';
import postgres from 'postgres';
import { describe, expect, test } from 'vitest';

import { runCommand } from '../../dev/command.ts';
import { readEnvironment } from '../../dev/environment.ts';
import { readRunningProcess } from '../../dev/running-process.ts';
import { inspectMachine } from '../../dev/services/machine.ts';
import type { Services } from '../../dev/services.ts';
import { startServices } from '../../dev/services.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import { HANG_MS } from '../support/eventually.ts';
import { testFolder } from '../support/test-folder.ts';

const machine = await inspectMachine(runCommand);
const lacks = machine.missing.some((need) => need === 'rabbitmq' || need === 'postgres');
const canRun = machine.debian && !lacks;

const startTimeoutMs = 300_000;
const environment = readEnvironment({ PATH: '/usr/bin:/bin' });
/** As if there were no Docker here: this file is about the private servers. */
const run: typeof runCommand = async (command, args, options) =>
  command === 'docker' ? { status: 127, stdout: '', stderr: '' } : runCommand(command, args, options);

describe.skipIf(!canRun)('private servers', () => {
  test(
    'both answer, and stopping leaves neither a process nor a listener',
    async () => {
      using folder = testFolder('start-and-stop');
      const services = await start(folder.path);
      await expectBothToWork(services);
      const started = recordedPids(folder.path).flatMap((pid) => [pid, ...descendants(pid)]);
      expect(started.length).toBeGreaterThan(5);

      await services.stop();

      await waitUntil({
        what: 'the end of every process',
        check: () => started.every((pid) => readRunningProcess(pid) === undefined) || undefined,
        timeoutMs: HANG_MS,
      });
      for (const port of portsOf(services)) expect(await accepts(port), `port ${port}`).toBe(false);
    },
    startTimeoutMs,
  );

  test(
    'what a killed owner left behind is stopped by the next start, and its data is kept',
    async () => {
      using folder = testFolder('killed-owner');
      const { owner, databaseUrl, amqpUrl } = await startOwner(folder.path);
      await withSql(databaseUrl, async (sql) => sql`create table kept (id int)`);
      await withChannel(amqpUrl, async (channel) => channel.assertQueue('kept', { durable: true }));
      const left = recordedPids(folder.path);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
      expect(left.every((pid) => readRunningProcess(pid) !== undefined)).toBe(true);

      await using services = await start(folder.path);

      expect(left.filter((pid) => readRunningProcess(pid) !== undefined)).toEqual([]);
      await expectBothToWork(services);
      expect(await withSql(services.databaseUrl, async (sql) => sql`select * from kept`)).toHaveLength(0);
      await withChannel(services.amqpUrl, async (channel) => channel.checkQueue('kept'));
    },
    startTimeoutMs,
  );

  test(
    'a start that is called off stops what it had started',
    async () => {
      using folder = testFolder('called-off');
      const controller = new AbortController();
      const starting = start(folder.path, controller.signal);
      const pids = await waitUntil({
        what: 'the first processes',
        check: () => (recordedPids(folder.path).length === 3 ? recordedPids(folder.path) : undefined),
        timeoutMs: HANG_MS,
      });
      controller.abort(new Error('called off'));
      await expect(starting).rejects.toThrow();
      expect(pids.filter((pid) => readRunningProcess(pid) !== undefined)).toEqual([]);
    },
    startTimeoutMs,
  );
});

async function start(folder: string, signal?: AbortSignal): Promise<Services> {
  return startServices({
    folder,
    log: () => undefined,
    environment,
    run,
    ...(signal === undefined ? {} : { signal }),
  });
}

/** A process of its own that has started the servers and waits to be killed. */
async function startOwner(folder: string) {
  const source = (name: string) => JSON.stringify(resolve(import.meta.dirname, '../../dev', name));
  const script = `
    import { runCommand } from ${source('command.ts')};
    import { startServices } from ${source('services.ts')};
    const missing = { status: 127, stdout: '', stderr: '' };
    const run = async (command, ...rest) => (command === 'docker' ? missing : runCommand(command, ...rest));
    const services = await startServices({ folder: ${JSON.stringify(folder)}, log: () => undefined, run });
    console.log(JSON.stringify(services));
    setTimeout(() => process.exit(1), 240_000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: owner.stdout })) {
    const services: Pick<Services, 'databaseUrl' | 'amqpUrl'> = JSON.parse(line);
    return { owner, ...services };
  }
  throw new Error('the owner did not start');
}

async function expectBothToWork(services: Services): Promise<void> {
  const rows = await withSql(services.databaseUrl, async (sql) => sql`select current_database() as name`);
  expect(rows[0]?.['name']).toBe('warren');
  const { queue } = await withChannel(services.amqpUrl, async (channel) =>
    channel.assertQueue('', { exclusive: true }),
  );
  expect(queue).toMatch(/^amq\.gen-/);
  const url = new URL(services.managementUrl);
  const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`;
  const response = await fetch(`${url.origin}/api/overview`, { headers: { authorization } });
  expect(response.status).toBe(200);
}

async function withSql<T>(databaseUrl: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 60 });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function withChannel<T>(amqpUrl: string, work: (channel: amqplib.Channel) => Promise<T>): Promise<T> {
  const connection = await amqplib.connect(amqpUrl, { timeout: 60_000 });
  try {
    return await work(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

function recordedPids(folder: string): number[] {
  try {
    const { processes } = JSON.parse(readFileSync(join(folder, 'processes.json'), 'utf8'));
    return processes.map(({ pid }: { pid: number }) => pid);
  } catch {
    // Not claimed yet.
    return [];
  }
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function portsOf({ amqpUrl, databaseUrl, managementUrl }: Services): number[] {
  return [amqpUrl, databaseUrl, managementUrl].map((url) => Number(new URL(url).port));
}

async function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
