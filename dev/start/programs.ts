// Programs as children of a command, each in a process group of its own, and each started again when it ends: the API and two workers, or those of an
// example.
// Guarantees: they have answered `/readyz` with 200 when this resolves; stopping asks them to drain and waits for it.
import { resolve } from 'node:path';
import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import type { ProcessRecord } from '../process-record.ts';
import { waitUntil } from '../wait-until.ts';
import { formatLogLine } from './log-lines.ts';
import { SupervisedProgram } from './supervised-program.ts';

export type ProgramsOptions = {
  readonly plans: readonly ProgramPlan[];
  readonly env: Readonly<Record<string, string>>;
  readonly record: ProcessRecord;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
};

export type Program = {
  readonly name: string;
  readonly program: SupervisedProgram;
  /** Where it answers `/readyz`. */
  readonly url: string;
};

export type Programs = AsyncDisposable & {
  /** In the order of their plans. */
  readonly programs: readonly Program[];
  /** Stops every program in good order and starts it again, with the sources as they are now. */
  replaceAll(): Promise<void>;
};

export type ProgramPlan = {
  readonly name: string;
  /** The file that Node runs. */
  readonly main: string;
  /** Where it answers `/readyz`. */
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
};

const root = resolve(import.meta.dirname, '../..');
const apiMain = resolve(root, 'src/api/main.ts');
const workerMain = resolve(root, 'src/worker/main.ts');
const readyTimeoutMs = 30_000;
/** Above the programs' own drain timeout of 25 s. */
const stopTimeoutMs = 30_000;

export function planApi(name: string, port: number): ProgramPlan {
  return { name, main: apiMain, port, env: { PORT: String(port) } };
}

export function planWorker(name: string, port: number): ProgramPlan {
  return { name, main: workerMain, port, env: { WORKER_HEALTH_PORT: String(port) } };
}

/** The API and two workers. */
export async function planFleet(apiPort: number): Promise<ProgramPlan[]> {
  const ports = await freePorts(2);
  return [planApi('api', apiPort), ...ports.map((port, index) => planWorker(`worker-${index + 1}`, port))];
}

export async function startPrograms(options: ProgramsOptions): Promise<Programs> {
  const { plans, log, signal } = options;
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
    programs: plans.flatMap(({ name, port }, index) => {
      const program = programs[index];
      return program === undefined ? [] : [{ name, program, url: urlOf(port) }];
    }),
    replaceAll: async () => {
      await Promise.all(programs.map(async (program) => program.replace()));
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

async function startProcess(plan: ProgramPlan, { env, record, log }: ProgramsOptions): Promise<OwnedProcess> {
  const { name, main } = plan;
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
  const response = await fetch(`${url}/readyz`, {
    headers: { connection: 'close' }, // one that is kept would be waited for at the stop
    signal: AbortSignal.timeout(5_000),
  });
  const body = await response.text();
  if (!response.ok) throw new Error(`${url}/readyz answered ${response.status} ${body.slice(0, 200)}`);
  return true;
}
