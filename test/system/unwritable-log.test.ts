// A worker whose log cannot be written: it works all the same, and ends when it is told to, with its advisory lock released.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { freePorts } from '../../dev/free-port.ts';
import { eventually } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const root = resolve(import.meta.dirname, '../..');

/** A file descriptor to log to, and what to do when the program has ended. */
type Output = AsyncDisposable & { fd: number };

async function fullDevice(): Promise<Output> {
  const fd = openSync('/dev/full', constants.O_WRONLY);
  return { fd, [Symbol.asyncDispose]: async () => closeSync(fd) };
}

/** A pipe that is full, with a reader that never reads. */
async function stuckPipe(): Promise<Output> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const byte = Buffer.alloc(1, 'x');
  for (let isFull = false; !isFull; ) {
    try {
      writeSync(filler, byte);
    } catch {
      isFull = true;
    }
  }
  const fd = openSync(path, constants.O_WRONLY); // as a shell would hand it on: it waits for the reader
  return {
    fd,
    [Symbol.asyncDispose]: async () => {
      for (const each of [fd, filler, reader]) closeSync(each);
      await rm(folder, { recursive: true });
    },
  };
}

describe.each([
  ['on a full device', fullDevice, /^warren_log_lines_dropped_total [1-9]/m],
  ['at a pipe that nobody reads', stuckPipe, /^warren_log_lines_dropped_total 0/m], // they wait still
])('a worker with its log %s', (_, openOutput, lost) => {
  test('serves, counts the lost lines, and ends at SIGTERM with its lock released', async () => {
    await using database = await createDatabase();
    await using vhost = await createVhost();
    await using output = await openOutput();
    const [port = 0] = await freePorts(1);
    const child = spawn(process.execPath, ['src/worker/main.ts'], {
      cwd: root,
      stdio: ['ignore', output.fd, output.fd],
      env: {
        PATH: '/usr/bin:/bin',
        DATABASE_URL: database.url,
        AMQP_URL: vhost.url,
        WORKER_HEALTH_PORT: String(port),
        LOG_LEVEL: 'trace',
      },
    });
    const exited = once(child, 'exit');
    const sql = postgres(database.url, { max: 1 });
    const locks = async () =>
      (
        await sql`select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`
      ).length;
    try {
      const ready = () =>
        fetch(`http://127.0.0.1:${port}/readyz`).then(
          ({ status }) => status,
          () => 0,
        );
      await eventually(ready, (status) => status === 200);
      expect(await locks()).toBeGreaterThan(0);
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toMatch(lost);
      child.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
      await eventually(locks, (count) => count === 0);
    } finally {
      child.kill('SIGKILL');
      await sql.end();
    }
  });
});
