// A RabbitMQ cluster of three private nodes, side by side on loopback; and what it is made of, for those that make one elsewhere.
// Guarantees: names, cookie, ports, configuration and data are the cluster's own. It begins empty at every start: what its queues hold are hints, and the
// jobs are in Postgres.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../free-port.ts';
import { OwnedProcess } from '../owned-process.ts';
import type { ProcessRecord } from '../process-record.ts';
import { waitUntil } from '../wait-until.ts';
import type { Home } from './cluster-node.ts';
import { ClusterNode } from './cluster-node.ts';
import { keptPassword } from './data-folder.ts';
import type { Log } from './service-needs.ts';

const SIZE = 3;
const USER = 'warren';
const JOIN_TIMEOUT_MS = 180_000;

export interface RabbitmqCluster extends AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  /** `amqpUrl` names all nodes. */
  readonly urls: { readonly amqpUrl: string; readonly managementUrl: string };
}

export interface ClusterOptions {
  /** Its own. */
  folder: string;
  record: ProcessRecord;
  log: Log;
  signal?: AbortSignal | undefined;
}

/** Resolves when all three nodes serve: a quorum queue that is declared from then on has a member on each. */
export async function startRabbitmqCluster(options: ClusterOptions): Promise<RabbitmqCluster> {
  const { folder, record, log, signal } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = keptPassword(join(folder, 'password'));
  const homes = Array.from({ length: SIZE }, (_, n) => ({
    host: `node${n + 1}`,
    address: '127.0.0.1',
    prefix: [],
  }));
  await using started = new AsyncDisposableStack();
  const { nodes, epmds } = await prepareNodes({ homes, folder, user: USER, password, record });
  for (const epmd of epmds) started.use(epmd); // they end last
  // Its data is not kept, so nothing waits for a shutdown in good order.
  started.defer(async () => {
    await Promise.all(nodes.map(async (node) => node.kill()));
  });
  await Promise.all(nodes.map(async (node) => node.start()));
  await Promise.all(nodes.map(async (node) => untilJoined(node, { size: SIZE, log, signal })));
  const stack = started.move();
  const credentials = `${USER}:${password}`;
  const hosts = nodes.map(({ amqp: { host, port } }) => `${host}:${port}`).join(',');
  const [first] = nodes.map(({ management: { host, port } }) => `${host}:${port}`);
  return {
    nodes,
    urls: { amqpUrl: `amqp://${credentials}@${hosts}`, managementUrl: `http://${credentials}@${first}` },
    [Symbol.asyncDispose]: async () => stack.disposeAsync(),
  };
}

export interface NodesOptions {
  /** One for each node. */
  homes: readonly Home[];
  folder: string;
  user: string;
  /** Of the user, and the nodes' common secret. */
  password: string;
  record: ProcessRecord;
}

/** Empty nodes, not started yet, and the epmds by which they find each other, which run. */
export async function prepareNodes(
  options: NodesOptions,
): Promise<{ nodes: ClusterNode[]; epmds: OwnedProcess[] }> {
  const { homes, folder, user, password, record } = options;
  const names = homes.map(({ host }, n) => `rabbit${n + 1}@${host}`);
  const [epmdPort = 0, ...ports] = await freePorts(1 + 4 * homes.length);
  const inetrc = join(folder, 'inetrc');
  writeFileSync(inetrc, resolverFile(homes));
  const epmds = await startEpmds(options, epmdPort);
  const nodes = homes.map((home, n) => {
    const [amqp = 0, management = 0, prometheus = 0, distribution = 0] = ports.slice(4 * n);
    const nodeFolder = join(folder, home.host);
    rmSync(nodeFolder, { recursive: true, force: true });
    return new ClusterNode({
      number: n + 1,
      home,
      names,
      ports: { amqp, management, prometheus, distribution },
      epmdPort,
      folder: nodeFolder,
      inetrc,
      user,
      password,
      record,
    });
  });
  return { nodes, epmds };
}

/** Resolves when this node sees `size` nodes, itself among them, and serves. */
export async function untilJoined(
  node: ClusterNode,
  {
    size,
    timeoutMs = JOIN_TIMEOUT_MS,
    ...options
  }: { size: number; timeoutMs?: number } & Partial<Pick<ClusterOptions, 'log' | 'signal'>>,
): Promise<void> {
  await waitUntil({
    what: `${node.name} in the cluster`,
    check: async () => {
      const seen = await node.ask<{ running: boolean; partitions?: string[] }[]>('/nodes');
      await node.ask(`/health/checks/port-listener/${node.amqp.port}`);
      const isWhole =
        seen.length === size &&
        seen.every(({ running, partitions = [] }) => running && partitions.length === 0);
      return isWhole || undefined;
    },
    assertPossible: () => node.assertRunning(),
    timeoutMs,
    intervalMs: 250,
    ...options,
  });
}

/** Erlang's own hosts file, so that /etc/hosts stays as it is. Of two lines for one address it would know the last. */
function resolverFile(homes: readonly Home[]): string {
  const hosts = [...Map.groupBy(homes, ({ address }) => address)].map(([address, sharing]) => {
    const names = sharing.map(({ host }) => `"${host}"`);
    return `{host,{${address.replaceAll('.', ',')}},[${names.join(',')}]}.`;
  });
  return [...hosts, '{lookup,[file,native]}.', ''].join('\n');
}

/** One for each address. */
async function startEpmds(
  { homes, folder, record }: NodesOptions,
  epmdPort: number,
): Promise<OwnedProcess[]> {
  const places = [...Map.groupBy(homes, ({ address }) => address).values()].flatMap(([home]) => home ?? []);
  return await Promise.all(
    places.map(async ({ host, address, prefix }) => {
      const [command = '', ...before] = [...prefix, '/usr/bin/epmd'];
      return await OwnedProcess.start({
        name: `epmd of ${host}`,
        command,
        args: [...before, '-port', String(epmdPort), '-address', address],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        cwd: folder,
        output: { file: join(folder, `epmd-${host}.log`) },
        marker: `-port ${epmdPort}`,
        stopSignal: 'SIGKILL',
        stopTimeoutMs: 1_000,
        record,
      });
    }),
  );
}
