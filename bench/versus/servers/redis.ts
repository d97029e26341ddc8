// A private Redis: Debian's redis-server on a free loopback port with data of its own, or a container where a Docker engine provides the rest.
// Guarantees: it writes its log as it was asked to, never evicts a key, and ends with this process. It can be killed and started again.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { runCommand } from '../../../dev/command.ts';
import { freePorts } from '../../../dev/free-port.ts';
import { OwnedProcess } from '../../../dev/owned-process.ts';
import type { ProcessRecord } from '../../../dev/process-record.ts';
import { installPackages } from '../../../dev/services/packages.ts';
import { waitUntil } from '../../../dev/wait-until.ts';

export interface RedisOptions {
  appendfsync: 'everysec' | 'always';
  folder: string;
  record: ProcessRecord;
  log: (line: string) => void;
}

const SERVER = '/usr/bin/redis-server';
const IMAGE = 'redis:7';
const READY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 2_000;

export class RedisServer {
  readonly url: string;
  readonly #options: RedisOptions;
  readonly #port: number;
  readonly #container: string | undefined;
  #process: OwnedProcess | undefined;

  private constructor(options: RedisOptions, port: number, container: string | undefined) {
    this.#options = options;
    this.#port = port;
    this.#container = container;
    this.url = `redis://127.0.0.1:${port}`;
  }

  static async start(options: RedisOptions): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const isDocker = (await runCommand('docker', ['info'], { timeoutMs: 3_000 })).status === 0;
    if (!isDocker) await install(options.log);
    rmSync(options.folder, { recursive: true, force: true });
    mkdirSync(options.folder, { recursive: true });
    const container = isDocker ? `warren-versus-redis-${options.appendfsync}` : undefined;
    const server = new RedisServer(options, port, container);
    await server.startAgain();
    return server;
  }

  /** With the data that it has. Resolves when it answers. */
  async startAgain(): Promise<void> {
    if (this.#container === undefined) await this.#spawn();
    else await this.#runContainer(this.#container);
    await waitUntil({
      what: 'Redis',
      check: () => this.ask((redis) => redis.ping()),
      timeoutMs: READY_TIMEOUT_MS,
      intervalMs: 20,
    });
  }

  async kill(): Promise<void> {
    if (this.#container === undefined) {
      this.#process?.kill();
      await this.#process?.exited;
    } else await docker('kill', this.#container);
  }

  async stop(): Promise<void> {
    if (this.#container === undefined) await this.#process?.stop();
    else await docker('rm', '--force', this.#container);
  }

  async ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.url, {
      connectTimeout: 2_000,
      retryStrategy: () => null,
      lazyConnect: true,
    });
    redis.on('error', () => {}); // the question's own rejection tells
    try {
      await redis.connect();
      return await question(redis);
    } finally {
      redis.disconnect();
    }
  }

  async version(): Promise<string> {
    const info = await this.ask((redis) => redis.info('server'));
    return /redis_version:(\S+)/.exec(info)?.[1] ?? 'unknown';
  }

  #settings(): string[] {
    const settings = {
      save: '',
      appendonly: 'yes',
      appendfsync: this.#options.appendfsync,
      'maxmemory-policy': 'noeviction',
    };
    return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  }

  async #spawn(): Promise<void> {
    const { folder, record, appendfsync } = this.#options;
    const place = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', folder];
    this.#process = await OwnedProcess.start({
      name: 'Redis',
      command: SERVER,
      args: [...place, ...this.#settings()],
      title: `redis-versus-${appendfsync}`,
      env: { PATH: '/usr/bin:/bin' },
      cwd: folder,
      output: { file: join(folder, 'redis.log') },
      marker: `redis-versus-${appendfsync}`,
      stopSignal: 'SIGKILL',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      record,
    });
  }

  async #runContainer(name: string): Promise<void> {
    const again = await runCommand('docker', ['start', name], { timeoutMs: COMMAND_TIMEOUT_MS });
    if (again.status === 0) return;
    const port = `127.0.0.1:${this.#port}:6379`;
    await docker(
      'run',
      '--detach',
      '--name',
      name,
      '--publish',
      port,
      IMAGE,
      'redis-server',
      ...this.#settings(),
    );
  }
}

async function install(log: (line: string) => void): Promise<void> {
  const found = await runCommand(SERVER, ['--version'], { timeoutMs: 5_000 });
  if (found.status !== 0) await installPackages({ packages: ['redis-server'], run: runCommand, log });
}

async function docker(...args: string[]): Promise<void> {
  const { status, stderr } = await runCommand('docker', args, { timeoutMs: COMMAND_TIMEOUT_MS });
  if (status !== 0) throw new Error(`docker ${args[0]}: ${stderr}`);
}
