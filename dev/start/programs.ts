// The API and two workers as children of the start command, each in a process group of its own.
// Guarantees: they have answered `/readyz` with 200 when this resolves; stopping asks them to drain and waits for it.
import { resolve } from 'node:path';

import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import type { ProcessRecord } from '../process-record.ts';
import { waitUntil } from '../wait-until.ts';
import { formatLogLine } from './log-lines.ts';

export type ProgramsOptions = {
  readonly env: Readonly<Record<string, string>>;
  readonly apiPort: number;
  readonly record: ProcessRecord;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

export type Programs = AsyncDisposable & {
  readonly apiUrl: string;
  /** Where each worker answers `/readyz` and `/metrics`. */
  readonly workerUrls: readonly string[];
  /** Resolves with the first program that ends without having been asked. */
  readonly firstExit: Promise<OwnedProcess>;
};

const root = resolve(import.meta.dirname, '../..');
const readyTimeoutMs = 30_000;
/** Above the programs' own drain timeout of 25 s. */
const stopTimeoutMs = 30_000;

export async function startPrograms(options: ProgramsOptions): Promise<Programs> {
  const { apiPort, log, signal } = options;
  const healthPorts = await freePorts(2);
  const plans = [
    { name: 'api', program: 'api', port: apiPort, env: { PORT: String(apiPort), API_DRAIN_MS: '0' } }, // nobody is there to send its clients elsewhere
    ...healthPorts.map((port, index) => {
      return {
        name: `worker-${index + 1}`,
        program: 'worker',
        port,
        env: { WORKER_HEALTH_PORT: String(port) },
      };
    }),
  ];
  await using started = new AsyncDisposableStack();
  const processes: OwnedProcess[] = [];
  // All stop at once: one drain timeout, not three.
  started.defer(async () => {
    await Promise.all(processes.map(async (running) => running.stop()));
  });
  for (const { name, program, env } of plans) {
    processes.push(await startProgram({ ...options, name, program, env: { ...options.env, ...env } }));
  }
  await Promise.all(
    plans.map(async ({ name, port }, index) =>
      waitUntil({
        what: name,
        check: async () => isReady(`http://127.0.0.1:${port}/readyz`),
        assertPossible: () => processes[index]?.assertRunning(),
        timeoutMs: readyTimeoutMs,
        log,
        signal,
      }),
    ),
  );
  const stack = started.move();
  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    workerUrls: healthPorts.map((port) => `http://127.0.0.1:${port}`),
    firstExit: Promise.race(processes.map(async (running) => running.exited.then(() => running))),
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

async function startProgram({
  name,
  program,
  env,
  record,
  log,
}: ProgramsOptions & { name: string; program: string }): Promise<OwnedProcess> {
  const main = resolve(root, 'src', program, 'main.ts');
  return OwnedProcess.start({
    name,
    command: process.execPath,
    args: [main],
    env,
    cwd: root,
    output: { onLine: (line) => log(formatLogLine(name, line)) },
    marker: main,
    stopSignal: 'SIGTERM',
    stopTimeoutMs,
    record,
  });
}

async function isReady(url: string): Promise<true | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status} ${body.slice(0, 200)}`);
  return true;
}
