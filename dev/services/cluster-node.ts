// One RabbitMQ node of a cluster: its files, its process through all its restarts, and what it says of itself over HTTP.
// Guarantees: name, cookie, ports, configuration and data are the cluster's own. Whoever starts one stops it.
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runCommand } from '../command.ts';
import { OwnedProcess } from '../owned-process.ts';
import type { ProcessRecord } from '../process-record.ts';
import { rabbitmqServer } from './machine.ts';
import { rabbitmqEnvironment } from './rabbitmq-environment.ts';

/** Where one node lives. */
export interface Home {
  /** The host part of the node's name; the cluster's own resolver file knows its address. */
  readonly host: string;
  readonly address: string;
  /** Put before a command, to have it run there. */
  readonly prefix: readonly string[];
}

export interface NodePorts {
  amqp: number;
  management: number;
  prometheus: number;
  distribution: number;
}

export interface ClusterNodeOptions {
  /** From 1. */
  number: number;
  home: Home;
  /** Names of all nodes, its own too. */
  names: readonly string[];
  ports: NodePorts;
  epmdPort: number;
  /** Its own. */
  folder: string;
  /** The cluster's resolver file. */
  inetrc: string;
  user: string;
  password: string;
  record: ProcessRecord;
}

/** A silent peer counts as gone after this many seconds, a quarter more or less. RabbitMQ's default is 60. */
const TICK_SECONDS = 8;
const RABBITMQCTL = '/usr/lib/rabbitmq/bin/rabbitmqctl';
const CTL_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Three nodes share a machine with what they serve: none may spin while it waits for work, or boot on more than one core. */
const MODESTY = '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none';

export class ClusterNode {
  readonly name: string;
  readonly options: ClusterNodeOptions;
  #process: OwnedProcess | undefined;

  constructor(options: ClusterNodeOptions) {
    this.options = options;
    this.name = options.names[options.number - 1] ?? '';
    const { folder, password } = options;
    for (const name of ['home', 'conf.d', 'mnesia', 'logs'])
      mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
    const cookie = join(folder, 'home/.erlang.cookie');
    writeFileSync(cookie, password); // one secret for the whole cluster
    chmodSync(cookie, 0o400);
    writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
    writeFileSync(join(folder, 'advanced.config'), '[].\n');
    writeFileSync(join(folder, 'rabbitmq.conf'), configuration(options), { mode: 0o600 });
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get running(): boolean {
    return this.#process !== undefined && this.#process.exit === undefined;
  }

  get amqp(): { host: string; port: number } {
    return { host: this.options.home.address, port: this.options.ports.amqp };
  }

  get management(): { host: string; port: number } {
    return { host: this.options.home.address, port: this.options.ports.management };
  }

  /** Resolves when the process runs; it does not serve yet. */
  async start(): Promise<void> {
    const { home, folder, record } = this.options;
    const [command = '', ...args] = [...home.prefix, rabbitmqServer];
    this.#process = await OwnedProcess.start({
      name: this.name,
      command,
      args,
      env: environment(this.options, this.name),
      cwd: folder,
      output: { file: join(folder, 'logs/output.log') },
      marker: join(folder, 'home'),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: STOP_TIMEOUT_MS,
      record,
    });
  }

  /** In good order, as a deploy does. Resolves when it is gone. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#process?.kill();
    await this.#process?.exited;
  }

  /** Throws when it has ended by itself. */
  assertRunning(): void {
    this.#process?.assertRunning();
  }

  /** Asks its management API; the path begins after `/api`. Throws where it does not answer with 200. */
  async ask<T>(path: string): Promise<T> {
    const { user, password } = this.options;
    const { host, port } = this.management;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const response = await fetch(`http://${host}:${port}/api${path}`, {
      headers: { authorization, connection: 'close' },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`${this.name} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Runs `rabbitmqctl` on it. Throws what it says where it fails. */
  async ctl(...args: string[]): Promise<string> {
    const [command = '', ...before] = [...this.options.home.prefix, RABBITMQCTL];
    const env = environment(this.options, this.name);
    const options = { timeoutMs: CTL_TIMEOUT_MS, env };
    const { status, stdout, stderr } = await runCommand(command, [...before, '--quiet', ...args], options);
    if (status !== 0) throw new Error(`rabbitmqctl ${args.join(' ')} on ${this.name}: ${stderr}`);
    return stdout;
  }

  /** Whether it takes AMQP connections. */
  async serves(): Promise<boolean> {
    const socket = connect(this.amqp);
    const late = setTimeout(() => socket.destroy(new Error('no answer')), REQUEST_TIMEOUT_MS);
    try {
      await once(socket, 'connect');
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(late);
      socket.destroy();
    }
  }

  /** Its counters since its start, in Prometheus's text form. Throws where it does not answer. */
  async metrics(): Promise<string> {
    const url = `http://${this.options.home.address}:${this.options.ports.prometheus}/metrics`;
    const response = await fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    return await response.text();
  }
}

function configuration({ home, names, ports, user, password }: ClusterNodeOptions): string {
  return [
    `listeners.tcp.1 = ${home.address}:${ports.amqp}`,
    `management.tcp.ip = ${home.address}`,
    `management.tcp.port = ${ports.management}`,
    `prometheus.tcp.ip = ${home.address}`,
    `prometheus.tcp.port = ${ports.prometheus}`,
    `default_user = ${user}`,
    `default_pass = ${password}`,
    'cluster_formation.peer_discovery_backend = classic_config',
    ...names.map((name, n) => `cluster_formation.classic_config.nodes.${n + 1} = ${name}`),
    // A node that sees no majority stops serving: its clients go to one that does, instead of waiting for it.
    'cluster_partition_handling = pause_minority',
    'disk_free_limit.absolute = 200MB',
    'collect_statistics_interval = 1000',
    'log.console = false',
    '',
  ].join('\n');
}

function environment(
  { home, ports, epmdPort, folder, inetrc }: ClusterNodeOptions,
  name: string,
): Record<string, string> {
  const address = `{${home.address.replaceAll('.', ',')}}`;
  const { distribution: distributionPort } = ports;
  const erlangArgs = `-kernel inet_dist_use_interface ${address} -kernel net_ticktime ${TICK_SECONDS} ${MODESTY}`;
  return {
    ...rabbitmqEnvironment({
      name,
      folder,
      logFolder: join(folder, 'logs'),
      epmdPort,
      distributionPort,
      erlangArgs,
    }),
    ERL_INETRC: inetrc,
  };
}
