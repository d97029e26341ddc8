// The API and two workers as children of the start command, each in a process group of its own, and each started again when it ends.
// Guarantees: they have answered `/readyz` with 200 when this resolves; stopping asks them to drain and waits for it.
import { resolve } from 'node:path';

import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import type { ProcessRecord } from '../process-record.ts';
import { waitUntil } from '../wait-until.ts';
import { formatLogLine } from './log-lines.ts';
import { SupervisedProgram } from './supervised-program.ts';

export type ProgramsOptions = {
  readonly env: Readonly<Record<string, string>>;
  readonly apiPort: number;
  readonly record: ProcessRecord;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

export type Worker = {
  readonly program: SupervisedProgram;
  /** Where it answers `/readyz` and `/metrics`. */
  readonly url: string;
};

export type Programs = AsyncDisposable & {
  readonly apiUrl: string;
  readonly workers: readonly Worker[];
  /** Stops every program in good order and starts it again, with the sources as they are now. */
  replaceAll(): Promise<void>;
};

type Plan = {
  readonly name: string;
  readonly kind: 'api' | 'worker';
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
};

const root = resolve(import.meta.dirname, '../..');
const readyTimeoutMs = 30_000;
/** Above the programs' own drain timeout of 25 s. */
const stopTimeoutMs = 30_000;

export async function startPrograms(options: ProgramsOptions): Promise<Programs> {
  const { apiPort, log, signal } = options;
  const healthPorts = await freePorts(2);
  const plans: Plan[] = [
    { name: 'api', kind: 'api', port: apiPort, env: { PORT: String(apiPort) } },
    ...healthPorts.map((port, index): Plan => {
      const env = { WORKER_HEALTH_PORT: String(port) };
      return { name: `worker-${index + 1}`, kind: 'worker', port, env };
    }),
  ];
  await using started = new AsyncDisposableStack();
  const programs: SupervisedProgram[] = [];
  // All stop at once: one drain timeout, not three.
  started.defer(async () => {
    await Promise.all(programs.map(async (program) => program.stop()));
  });
  for (const plan of plans) {
    const start = async () => startProcess(plan, options);
    programs.push(await SupervisedProgram.start({ name: plan.name, start, log }));
  }
  await Promise.all(
    plans.map(async ({ name, port }, index) =>
      waitUntil({
        what: name,
        check: async () => isReady(urlOf(port)),
        assertPossible: () => programs[index]?.assertRunning(),
        timeoutMs: readyTimeoutMs,
        log,
        signal,
      }),
    ),
  );
  // Only now: a program that cannot start at all ends the command.
  for (const program of programs) program.supervise();
  const stack = started.move();
  return {
    apiUrl: urlOf(apiPort),
    workers: plans.flatMap(({ kind, port }, index) => {
      const program = programs[index];
      return kind === 'worker' && program !== undefined ? [{ program, url: urlOf(port) }] : [];
    }),
    replaceAll: async () => {
      await Promise.all(programs.map(async (program) => program.replace()));
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

async function startProcess(plan: Plan, { env, record, log }: ProgramsOptions): Promise<OwnedProcess> {
  const { name, kind } = plan;
  const main = resolve(root, 'src', kind, 'main.ts');
  return OwnedProcess.start({
    name,
    command: process.execPath,
    args: [main],
    env: { ...env, ...plan.env },
    cwd: root,
    output: { onLine: (line) => log(formatLogLine(name, line)) },
    marker: main,
    stopSignal: 'SIGTERM',
    stopTimeoutMs,
    record,
  });
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function isReady(url: string): Promise<true | undefined> {
  const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url}/readyz answered ${response.status} ${body.slice(0, 200)}`);
  return true;
}
