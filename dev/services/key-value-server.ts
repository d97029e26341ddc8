// A private Redis or Valkey on a free loopback port. Debian has one server that is good for both: they are two instances of it then.
// What it holds is kept in an append-only file, as far as data is to be kept.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import { waitUntil } from '../wait-until.ts';
import { keptPassword } from './data-folder.ts';
import { findKeyValueServer } from './machine.ts';
import type { KeyValueNeed, ServerOptions } from './service-needs.ts';

const titles = { redis: 'Redis', valkey: 'Valkey' };
const readyTimeoutMs = 60_000;
/** It writes what is left of its file first. */
const stopTimeoutMs = 10_000;

export async function startKeyValueServer(
  options: ServerOptions & { readonly need: KeyValueNeed },
): Promise<AsyncDisposable & { urls: { redisUrl?: string; valkeyUrl?: string } }> {
  const { need, folder, logFolder, keepData, record, log, signal } = options;
  const program = findKeyValueServer(need);
  if (program === undefined) throw new Error('there is no redis-server in /usr/bin');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = keptPassword(join(folder, 'password'));
  const [port = 0] = await freePorts(1);
  const settings = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${folder}`,
    `appendonly ${keepData ? 'yes' : 'no'}`,
    'save ""',
    'daemonize no',
    '',
  ];
  const file = join(folder, 'server.conf');
  writeFileSync(file, settings.join('\n'), { mode: 0o600 });
  await using started = new AsyncDisposableStack();
  const server = started.use(
    await OwnedProcess.start({
      name: titles[need],
      command: program,
      args: [file],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      cwd: folder,
      output: { file: join(logFolder, `${need}.log`) },
      // It replaces its command line by its name and its port.
      marker: `127.0.0.1:${port}`,
      stopSignal: keepData ? 'SIGTERM' : 'SIGKILL',
      stopTimeoutMs,
      record,
    }),
  );
  await waitUntil({
    what: titles[need],
    check: async () => ((await answers(port, password)) ? true : undefined),
    assertPossible: () => server.assertRunning(),
    timeoutMs: readyTimeoutMs,
    log,
    signal,
  });
  const stack = started.move();
  return {
    urls: { [`${need}Url`]: `redis://:${password}@127.0.0.1:${port}` },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

/** Logs in and pings. A server that still reads its file answers otherwise. */
async function answers(port: number, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    let answer = '';
    const finish = (isReady: boolean) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.once('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (data) => {
      answer += data.toString('latin1');
      if (answer.split('\r\n').length > 2) finish(answer === '+OK\r\n+PONG\r\n');
    });
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => finish(false));
  });
}
