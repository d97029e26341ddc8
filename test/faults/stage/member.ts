// One program of a stage, an API or a worker, through all its restarts: which processes it was, which of them were meant to end.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { Program, ProgramExit } from '../../support/program.ts';
import { startFile } from '../../support/program.ts';
import { root } from './servers.ts';

const PRELOADS = ['clock-skew.ts', 'failpoint.ts'].map(
  (file) => `--import=${pathToFileURL(join(root, 'test/faults/preload', file)).href}`,
);
const BAD_LINES =
  /nothing handled it|unhandledRejection|UnhandledPromiseRejection|MaxListenersExceeded|Uncaught/;

/** What runs now; it ends with this process, whatever ends that. */
const running = new Set<Program>();
process.once('exit', () => {
  for (const program of running) program.signal('SIGKILL');
});

export interface MemberOptions {
  kind: 'api' | 'worker';
  /** The folder that stands for src/. */
  source: string;
  /** Where it listens: the API, or the worker's health server. */
  port: number;
  env: Readonly<Record<string, string>>;
}

interface Life {
  program: Program;
  pid: number;
  isEndPlanned: boolean;
  /** When we have killed it. The end of one that died by itself is known too late to be measured from. */
  endedAt?: number;
  exit?: ProgramExit;
}

export class Member {
  readonly kind: 'api' | 'worker';
  readonly url: string;
  readonly lives: Life[] = [];
  readonly #options: MemberOptions;

  constructor(options: MemberOptions) {
    this.kind = options.kind;
    this.url = `http://127.0.0.1:${options.port}`;
    this.#options = options;
  }

  /** Resolves when the process runs. `env` is added for this life. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<Life> {
    const { kind, source, port, env: common } = this.#options;
    const { FAULT_NODE_OPTIONS: nodeOptions = '' } = { ...common, ...env };
    const program = await startFile(join(source, kind, 'main.ts'), {
      NODE_OPTIONS: [...PRELOADS, nodeOptions].join(' '),
      FAULT_SOURCE: source,
      WARREN_APP: join(root, 'test/faults/preload/fault-app.ts'),
      ...(kind === 'api' ? { PORT: String(port) } : { WORKER_HEALTH_PORT: String(port) }),
      ...common,
      ...env,
    });
    const life: Life = { program, pid: program.pid, isEndPlanned: false };
    this.lives.push(life);
    running.add(program);
    void program.exited.then((exit) => {
      running.delete(program);
      life.exit = exit;
    });
    return life;
  }

  get life(): Life {
    const life = this.lives.at(-1);
    if (life === undefined) throw new Error('it was never started');
    return life;
  }

  get pid(): number {
    return this.life.pid;
  }

  /** A signal that is meant to end it. Resolves with the exit. */
  async end(signal: NodeJS.Signals): Promise<ProgramExit> {
    const { life } = this;
    life.isEndPlanned = true;
    if (signal === 'SIGKILL') life.endedAt = monotonicMs();
    life.program.signal(signal);
    return await life.program.exited;
  }

  /** From now on this process may end by itself: a failpoint, a job that takes it down. */
  expectEnd(): void {
    this.life.isEndPlanned = true;
  }

  async isReady(): Promise<boolean> {
    return (await this.readiness()) === '200 ok';
  }

  /** The code and the status that /readyz answers; `no answer` where there is none within three seconds. */
  async readiness(): Promise<string> {
    try {
      const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(3_000) });
      const { status } = (await response.json()) as { status: string };
      return `${response.status} ${status}`;
    } catch {
      return 'no answer';
    }
  }

  /** One probe as the kubelet makes it: it fails without a 200 in time. */
  async isAlive(timeoutMs: number): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/livez`, { signal: AbortSignal.timeout(timeoutMs) });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  /** Sums a metric over its labels, or those with this one (`reason="ended"`); 0 where the process does not answer. */
  async metric(name: string, label = ''): Promise<number> {
    try {
      const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(5_000) });
      const samples = (await response.text()).matchAll(
        new RegExp(`^${name}${label === '' ? '(?:\\{.*\\})?' : `\\{.*${label}.*\\}`} (\\S+)$`, 'gm'),
      );
      return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
    } catch {
      return 0;
    }
  }

  unplannedExits(): string[] {
    return this.lives
      .filter(({ exit, isEndPlanned }) => exit !== undefined && !isEndPlanned)
      .map(({ pid, exit }) => `${this.kind} ${pid}: ${exit?.signal ?? exit?.code}`);
  }

  /** Lines that no process may ever write. */
  badLines(): string[] {
    return this.lives.flatMap(({ program, pid }) =>
      [...program.logs.map((line) => JSON.stringify(line)), ...program.text]
        .filter((line) => BAD_LINES.test(line))
        .map((line) => `${this.kind} ${pid}: ${line.slice(0, 300)}`),
    );
  }
}
