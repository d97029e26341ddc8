// What every benchmark runs on: real servers of its own, a database and a vhost per use, and the programs that it starts.
// Guarantees: what was started ends with the benchmark, whatever ends that; nothing that was there before is touched.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { freePorts } from '../../dev/free-port.ts';
import { OwnedProcess } from '../../dev/owned-process.ts';
import { ProcessRecord } from '../../dev/process-record.ts';
import type { Services } from '../../dev/services.ts';
import { startServices } from '../../dev/services.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import { createBenchDatabase, createBenchVhost } from './places.ts';

export const root = resolve(import.meta.dirname, '../..');
const folder = join(root, '.services/bench');

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
  name: string;
  /** Below the root of the checkout. */
  file: string;
  /** The setting that says where it listens: `PORT`, or `WORKER_HEALTH_PORT`. Defaults to `PORT`. */
  portSetting?: string;
  /** What answers 200 as soon as it works. Defaults to `/livez`. */
  readyPath?: string;
  env: Readonly<Record<string, string>>;
  /** Arguments of Node before the file, such as a preload. */
  nodeArgs?: readonly string[];
}

/** The flags of the images' programs. */
const IMAGE_ARGS = ['--max-semi-space-size=16'];

export class Stage implements AsyncDisposable {
  readonly services: Services;
  readonly #record: ProcessRecord;
  readonly #programs = new Set<OwnedProcess>();
  readonly #onExit = () => this.kill();

  constructor(services: Services, record: ProcessRecord) {
    this.services = services;
    this.#record = record;
    process.once('exit', this.#onExit);
  }

  /** A migrated, empty database and an empty vhost; an earlier one of the name is dropped. */
  async createPlace(name: string): Promise<Place> {
    const { databaseUrl, amqpUrl, managementUrl } = this.services;
    if (amqpUrl === 'none') throw new Error('the benchmarks need a RabbitMQ');
    return {
      databaseUrl: await createBenchDatabase(databaseUrl, `bench_${name}`),
      amqpUrl: await createBenchVhost({ amqpUrl, managementUrl, name: `bench_${name}` }),
    };
  }

  /** Runs it as the images do, compiled ahead from its second start on. Resolves when it answers. Its output goes to a file in .services/bench/logs. */
  async start(options: ProgramOptions): Promise<Started> {
    const { name, file, portSetting = 'PORT', readyPath = '/livez', env, nodeArgs = [] } = options;
    const [port = 0] = await freePorts(1);
    const program = await OwnedProcess.start({
      name,
      command: process.execPath,
      args: [...IMAGE_ARGS, ...nodeArgs, join(root, file)],
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        LOG_LEVEL: 'warn',
        NODE_COMPILE_CACHE: join(folder, 'compile-cache'),
        ...env,
        [portSetting]: String(port),
      },
      cwd: root,
      output: { file: join(folder, 'logs', `${name}.log`) },
      marker: join(root, file),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      record: this.#record,
    });
    this.#programs.add(program);
    const url = `http://127.0.0.1:${port}`;
    await waitUntil({
      what: name,
      check: async () => {
        const response = await fetch(url + readyPath, { signal: AbortSignal.timeout(5_000) });
        await response.body?.cancel();
        return response.ok ? true : undefined;
      },
      assertPossible: () => program.assertRunning(),
      timeoutMs: READY_TIMEOUT_MS,
    });
    return { process: program, url };
  }

  async stop(started: readonly Started[]): Promise<void> {
    await Promise.all(started.map(({ process: program }) => program.stop()));
    for (const { process: program } of started) this.#programs.delete(program);
  }

  kill(): void {
    for (const program of this.#programs) program.kill();
    this.services.kill();
    this.#record.killAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all([...this.#programs].map((program) => program.stop()));
    await this.services.stop();
    this.#record.release();
  }
}

export async function openStage(log: (line: string) => void): Promise<Stage> {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const services = await startServices({ folder, keepData: false, log });
  return new Stage(services, await ProcessRecord.claim({ file: join(folder, 'programs.json'), log }));
}

/** The process of a private server, by a part of its command line in the record of the services; undefined where it is somebody else's. */
export const serviceRecord = join(folder, 'processes.json');
