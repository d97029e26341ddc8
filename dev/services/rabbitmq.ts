// A private RabbitMQ with the management and prometheus plugins, and an epmd of its own.
// Node name, cookie, ports, configuration and data are ours alone; /etc/rabbitmq and ~/.erlang.cookie are never read.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import { waitUntil } from '../wait-until.ts';
import { discardFolder, keptPassword } from './data-folder.ts';
import { rabbitmqServer } from './machine.ts';
import { rabbitmqEnvironment } from './rabbitmq-environment.ts';
import type { ServerOptions } from './service-needs.ts';

type Ports = { amqp: number; management: number; prometheus: number; distribution: number; epmd: number };

type Node = {
  readonly name: string;
  readonly folder: string;
  readonly logFolder: string;
  readonly password: string;
  readonly ports: Ports;
};

const user = 'warren';
const readyTimeoutMs = 60_000;
/**
 * Queues and message stores are on disk 20 ms after SIGTERM. RabbitMQ 3.10 with the management agent then waits 5 s for
 * a process that has gone already (its event handler calls it while terminating); nothing is lost by not waiting along.
 */
const stopTimeoutMs = 2_000;

export async function startRabbitmq(
  options: ServerOptions,
): Promise<AsyncDisposable & { urls: { amqpUrl: string; managementUrl: string } }> {
  const { folder, log, signal } = options;
  const node = await prepareNode(options);
  const completed = join(folder, 'completed');
  await using started = new AsyncDisposableStack();
  // The stack stops in reverse order: epmd last, and only then are the files free.
  started.use(await startEpmd(node, options));
  const server = started.use(await startServer(node, options));
  const credentials = `${user}:${node.password}`;
  await waitUntil({
    what: 'RabbitMQ',
    check: async () => isReady(node, credentials),
    assertPossible: () => server.assertRunning(),
    timeoutMs: readyTimeoutMs,
    log,
    signal,
  });
  writeFileSync(completed, '');
  const stack = started.move();
  return {
    urls: {
      amqpUrl: `amqp://${credentials}@127.0.0.1:${node.ports.amqp}`,
      managementUrl: `http://${credentials}@127.0.0.1:${node.ports.management}`,
    },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

async function prepareNode({ folder, logFolder }: ServerOptions): Promise<Node> {
  // A first boot that was cut short leaves a node without users, which would refuse us for ever.
  if (!existsSync(join(folder, 'completed'))) discardFolder(folder);
  for (const name of ['home', 'conf.d', 'mnesia'])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  rmSync(join(logFolder, 'rabbitmq.log'), { force: true });
  const [amqp = 0, management = 0, prometheus = 0, distribution = 0, epmd = 0] = await freePorts(5);
  const ports = { amqp, management, prometheus, distribution, epmd };
  const name = `warren_${createHash('sha256').update(folder).digest('hex').slice(0, 8)}@localhost`;
  const node = { name, folder, logFolder, password: keptPassword(join(folder, 'password')), ports };
  // Erlang would make a cookie of its own from the clock; whoever has it may run anything as this user.
  keptPassword(join(folder, 'home', '.erlang.cookie'));
  chmodSync(join(folder, 'home', '.erlang.cookie'), 0o400);
  writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
  writeFileSync(join(folder, 'advanced.config'), '[].\n');
  writeFileSync(join(folder, 'rabbitmq.conf'), configuration(node), { mode: 0o600 });
  return node;
}

function configuration({ password, ports }: Node): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    'prometheus.tcp.ip = 127.0.0.1',
    `prometheus.tcp.port = ${ports.prometheus}`,
    `default_user = ${user}`,
    `default_pass = ${password}`,
    // Enough for a development machine: the alarm blocks publishers long before the disk is full.
    'disk_free_limit.absolute = 200MB',
    // Connections and rates appear in the management API after a second instead of five.
    'collect_statistics_interval = 1000',
    // As in the manifests: RabbitMQ keeps in memory what its log on disk has not passed on, 512 MiB otherwise.
    'raft.wal_max_size_bytes = 134217728',
    'log.console = false',
    '',
  ].join('\n');
}

/** Without -daemon epmd stays our child; RabbitMQ finds it under ERL_EPMD_PORT instead of starting one for the machine. */
async function startEpmd(
  { name, folder, logFolder, ports }: Node,
  { record }: ServerOptions,
): Promise<OwnedProcess> {
  return OwnedProcess.start({
    name: 'epmd',
    command: '/usr/bin/epmd',
    title: `epmd-${name}`,
    args: ['-port', String(ports.epmd), '-address', '127.0.0.1'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: folder,
    output: { file: join(logFolder, 'epmd.log') },
    marker: `epmd-${name}`,
    stopSignal: 'SIGKILL',
    stopTimeoutMs: 1_000,
    record,
  });
}

async function startServer(node: Node, { keepData, record }: ServerOptions): Promise<OwnedProcess> {
  return OwnedProcess.start({
    name: 'RabbitMQ',
    command: rabbitmqServer,
    args: [],
    env: serverEnvironment(node),
    cwd: node.folder,
    output: { file: join(node.logFolder, 'rabbitmq-output.log') },
    // The node name is not on its command line; its home folder is.
    marker: join(node.folder, 'home'),
    stopSignal: keepData ? 'SIGTERM' : 'SIGKILL',
    stopTimeoutMs,
    record,
  });
}

function serverEnvironment({ name, folder, logFolder, ports }: Node): Record<string, string> {
  const { epmd: epmdPort, distribution: distributionPort } = ports;
  const erlangArgs = '-kernel inet_dist_use_interface {127,0,0,1}';
  return {
    ...rabbitmqEnvironment({ name, folder, logFolder, epmdPort, distributionPort, erlangArgs }),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
}

/** AMQP listens last of all; the user exists when the management API lets us in. */
async function isReady({ ports }: Node, credentials: string): Promise<true | undefined> {
  if (!(await speaksAmqp(ports.amqp))) return undefined;
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const response = await fetch(`http://127.0.0.1:${ports.management}/api/whoami`, {
    headers: { authorization },
    signal: AbortSignal.timeout(5_000),
  });
  await response.body?.cancel();
  return response.ok ? true : undefined;
}

/** Sends the protocol header and waits for the first byte of connection.start, a method frame (1). */
async function speaksAmqp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => socket.write(Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])));
    socket.once('data', (data) => finish(data[0] === 1));
    for (const event of ['error', 'timeout', 'close']) socket.once(event, () => finish(false));
  });
}
