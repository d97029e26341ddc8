// `npm start` as a person runs it, on the test servers and on embedded Postgres: the whole system comes up, does its jobs and goes away.
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

import { expect, test } from 'vitest';

import type { CommandResult } from '../../dev/command.ts';
import { runCommand } from '../../dev/command.ts';
import { freePorts, isPortFree } from '../../dev/free-port.ts';
import { discardFolder } from '../../dev/services/data-folder.ts';
import { findEmbeddedObstacle } from '../../dev/services/embedded-postgres.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = '.services/test/start';
const obstacle = await findEmbeddedObstacle(runCommand);

test('the demonstration completes every job, and nothing is left afterwards', async () => {
  await using database = await createDatabase({ migrated: false });
  await using vhost = await createVhost();
  const [port = 0] = await freePorts(1);
  const result = await runCommand(process.execPath, ['dev/start.ts', '--exit', '--folder', folder], {
    cwd: root,
    env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url, AMQP_URL: vhost.url, PORT: String(port) },
    timeoutMs: 3 * HANG_MS,
  });
  expectCompleted(result);
  expect(result.stdout).toContain('servers configured in AMQP_URL and DATABASE_URL');
  expect(await isPortFree(port)).toBe(true);
  expect(existsSync(resolve(root, folder, 'programs.json'))).toBe(false);
});

test.skipIf(obstacle !== undefined)('with --embedded it needs neither a broker nor a Postgres', async () => {
  const [port = 0] = await freePorts(1);
  const embeddedFolder = '.services/test/start-embedded';
  const args = ['dev/start.ts', '--embedded', '--exit', '--folder', embeddedFolder];
  const result = await runCommand(process.execPath, args, {
    cwd: root,
    env: { PATH: '/usr/bin:/bin', PORT: String(port) },
    timeoutMs: 3 * HANG_MS,
  });
  expectCompleted(result);
  expect(result.stdout).toContain('no broker (AMQP_URL=none), Postgres from the package embedded-postgres');
  expect(result.stdout).toMatch(/^ {2}RabbitMQ +none$/m);
  expect(result.stdout).not.toContain('admin panel  ');
  expect(await isPortFree(port)).toBe(true);
  for (const record of ['programs.json', 'processes.json'])
    expect(existsSync(resolve(root, embeddedFolder, record))).toBe(false);
  discardFolder(resolve(root, embeddedFolder, 'postgres'));
  rmSync(resolve(root, embeddedFolder), { recursive: true });
});

test('a taken port is named together with the remedy, before anything is started', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const result = await runCommand(process.execPath, ['dev/start.ts', '--folder', folder], {
    cwd: root,
    env: {
      PATH: '/usr/bin:/bin',
      PORT: String(port),
      AMQP_URL: 'amqp://127.0.0.1:1',
      DATABASE_URL: 'postgres://127.0.0.1:1/x',
    },
    timeoutMs: HANG_MS,
  });
  await server[Symbol.asyncDispose]();
  expect(result).toEqual({
    status: 1,
    stdout: '',
    stderr: `port ${port} is taken; choose another one: PORT=${port + 1} npm start`,
  });
});

function expectCompleted({ status, stdout, stderr }: CommandResult): void {
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const rows = [...stdout.matchAll(/^ {2}\d+ +(\S+) +completed +(\d) +\d+ ms(.*)$/gm)].map(
    ([, type, attempt, errors]) => `${type} ${attempt}${errors?.replace(/ +/g, ' ')}`,
  );
  expect(rows.filter((row) => row.endsWith(' 1')).toSorted()).toEqual(
    expect.arrayContaining(['build-report 1', ...Array.from({ length: 5 }, () => 'process-order 1')]),
  );
  // One that was answered with 500 and came back.
  expect(
    rows.filter((row) => row.startsWith('deliver-webhook 2 attempt 1: ') && row.includes('500')),
  ).toHaveLength(1);
  expect(rows.filter((row) => row.startsWith('deliver-webhook'))).toHaveLength(8);
  expect(stdout).toMatch(
    /^ {2}worker-[12] was killed while [1-6] jobs? ran in it\. They ran elsewhere after \d+ ms(, \d+ ms)*\.$/m,
  );
  expect(stdout.trimEnd().endsWith('Everything that this started is stopped.')).toBe(true);
}
