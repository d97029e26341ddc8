// What every benchmark runs on: real servers of its own, a database and a vhost per use, and the programs that it starts. The comparisons with
// other job queues run on it too.
// Guarantees: what was started ends with the benchmark, whatever ends that; nothing that was there before is touched.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../dev/free-port.ts';
import { OwnedProcess } from '../../dev/owned-process.ts';
import { ProcessRecord } from '../../dev/process-record.ts';
import type { Services } from '../../dev/services.ts';
import { startServices } from '../../dev/services.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import { createDatabase, createVhost } from './places.ts';
import type { Warren } from './warren.ts';
import { root, thisWarren } from './warren.ts';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 35_000;

export interface Place {
  databaseUrl: string;
  amqpUrl: string;
}

export interface Started {
  process: OwnedProcess;
  url: string;
}

export interface ProgramOptions {
  /** Names its log. */
  name: string;
  /** Below the root of the checkout. */
  file: string;
  /** Defaults to this one. */
  checkout?: string | undefined;
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Arguments of Node before the file, such as a preload. Defaults to the flags of the images' programs. */
  nodeArgs?: readonly string[];
}

export interface ListeningOptions extends ProgramOptions {
  /** The setting that says where it listens: `PORT`, or `WORKER_HEALTH_PORT`. Defaults to `PORT`. */
  portSetting?: string;
  /** What answers 200 as soon as it works. Defaults to `/readyz`. */
  readyPath?: string;
}

/** The flags of the images' programs. */
export const IMAGE_ARGS: readonly string[] = ['--max-semi-space-size=16'];

export class Stage implements AsyncDisposable {
  readonly services: Services;
  /** Where data, logs and records are. */
  readonly folder: string;
  /** Names what was started, for the next run. */
  readonly record: ProcessRecord;
  readonly #programs = new Set<OwnedProcess>();
  readonly #onExit = () => this.kill();

  constructor({ services, folder, record }: Pick<Stage, 'services' | 'folder' | 'record'>) {
    this.services = services;
    this.folder = folder;
    this.record = record;
    process.once('exit', this.#onExit);
  }

  /** A database and an empty vhost; an earlier one of the name is dropped. */
  async createPlace(name: string, options: { warren?: Warren; hasOrders?: boolean } = {}): Promise<Place> {
    if (this.services.amqpUrl === 'none') throw new Error('the benchmarks need a RabbitMQ');
    const databaseUrl = await this.createDatabase(name, options);
    return { databaseUrl, amqpUrl: (await createVhost(this.services, name)).url };
  }

  /** With the schema of that Warren (this one's by default), and the shop's orders where they are wanted; empty but for them. */
  async createDatabase(
    name: string,
    { warren: { checkout } = thisWarren, hasOrders = false }: { warren?: Warren; hasOrders?: boolean } = {},
  ): Promise<string> {
    const databaseUrl = await createDatabase(this.services.databaseUrl, name);
    for (const command of hasOrders ? ['migrate', 'seed'] : ['migrate']) {
      const program = { name: `${command}-${name}`, file: `dev/${command}.ts`, checkout };
      const { exited } = await this.spawn({ ...program, env: { DATABASE_URL: databaseUrl } });
      const { code } = await exited;
      if (code !== 0) throw new Error(`${command} has failed; see ${program.name}.log`);
    }
    return databaseUrl;
  }

  /** Compiled ahead from its second start on. Resolves when the process runs. Its output goes to a file in the folder's `logs`. */
  async spawn({
    name,
    file,
    checkout = root,
    args = [],
    env,
    nodeArgs = IMAGE_ARGS,
  }: ProgramOptions): Promise<OwnedProcess> {
    const program = await OwnedProcess.start({
      name,
      command: process.execPath,
      args: [...nodeArgs, join(checkout, file), ...args],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        LOG_LEVEL: 'warn',
        NODE_COMPILE_CACHE: join(this.folder, 'compile-cache'),
        ...env,
      },
      cwd: checkout,
      output: { file: join(this.folder, 'logs', `${name}.log`) },
      marker: join(checkout, file),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      record: this.record,
    });
    this.#programs.add(program);
    return program;
  }

  /** The same on a port of its own. Resolves when it answers, and has all that it needs. */
  async start({
    portSetting = 'PORT',
    readyPath = '/readyz',
    env,
    ...program
  }: ListeningOptions): Promise<Started> {
    const [port = 0] = await freePorts(1);
    const started = await this.spawn({ ...program, env: { ...env, [portSetting]: String(port) } });
    const url = `http://127.0.0.1:${port}`;
    await waitUntil({
      what: program.name,
      check: async () => {
        const response = await fetch(url + readyPath, { signal: AbortSignal.timeout(5_000) });
        const text = await response.text();
        return response.ok && !text.includes('degraded') ? true : undefined; // one that goes on without a server says so
      },
      assertPossible: () => started.assertRunning(),
      timeoutMs: READY_TIMEOUT_MS,
    });
    return { process: started, url };
  }

  async stop(started: readonly Started[]): Promise<void> {
    await Promise.all(started.map(({ process: program }) => program.stop()));
    for (const { process: program } of started) this.#programs.delete(program);
  }

  /** Ends it at once, with all that it has started. */
  async end(program: OwnedProcess): Promise<void> {
    program.kill();
    await program.exited;
    this.#programs.delete(program);
  }

  kill(): void {
    for (const program of this.#programs) program.kill();
    this.services.kill();
    this.record.killAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all([...this.#programs].map((program) => program.stop()));
    await this.services.stop();
    this.record.release();
  }
}

/** `name`: of its folder below `.services`. Two stages at once need two of them. */
export async function openStage({
  name,
  log,
}: {
  name: string;
  log: (line: string) => void;
}): Promise<Stage> {
  const folder = join(root, '.services', name);
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const services = await startServices({ folder, keepData: false, log });
  const record = await ProcessRecord.claim({ file: join(folder, 'programs.json'), log });
  return new Stage({ services, folder, record });
}
