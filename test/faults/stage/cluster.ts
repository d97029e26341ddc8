// A RabbitMQ cluster of three nodes on this machine, opened for one row and closed after it.
// Guarantees: clients see one address, a balancer's; nodes and namespaces end with the row, or with the process, whatever ends that.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessRecord } from '../../../dev/process-record.ts';
import type { ClusterNode } from '../../../dev/services/cluster-node.ts';
import { rabbitmqServer } from '../../../dev/services/machine.ts';
import { prepareNodes, untilJoined } from '../../../dev/services/rabbitmq-cluster.ts';
import { waitUntil } from '../../../dev/wait-until.ts';
import type { ManagementClient } from '../../support/management-client.ts';
import { ClusterBalancer } from './cluster-balancer.ts';
import { ClusterCounters } from './cluster-counters.ts';
import { ClusterManagement } from './cluster-management.ts';
import { ClusterNetwork } from './cluster-network.ts';
import { folder as faultFolder } from './servers.ts';

const SIZE = 3;
const USER = 'warren';
const START_TIMEOUT_MS = 90_000;
const folder = join(faultFolder, 'cluster');
const recordFile = join(folder, 'processes.json');

/** A quorum queue, as the management API tells of it. */
export interface QuorumQueue {
  name: string;
  leader?: string;
  members?: string[];
  online?: string[];
}

export class Cluster {
  readonly nodes: readonly ClusterNode[];
  readonly network: ClusterNetwork;
  readonly counters: ClusterCounters;
  readonly #balancers: Parts['balancers'];
  readonly #password: string;
  readonly #remove: () => void;
  readonly #closing = new AbortController();

  private constructor(parts: Parts) {
    this.nodes = parts.nodes;
    this.network = parts.network;
    this.#password = parts.password;
    this.#balancers = parts.balancers;
    this.#remove = parts.remove;
    this.counters = new ClusterCounters(parts.nodes);
  }

  /** Resolves with an empty cluster, all of whose nodes serve. */
  static async open(): Promise<Cluster> {
    if (!existsSync(rabbitmqServer))
      throw new Error(`a cluster needs the installed RabbitMQ (${rabbitmqServer})`);
    mkdirSync(folder, { recursive: true });
    const record = await ProcessRecord.claim({ file: recordFile, log: () => {} });
    const network = new ClusterNetwork({ folder, size: SIZE });
    const remove = () => {
      record.killAll();
      network.remove();
    };
    process.once('exit', remove);
    const password = randomBytes(12).toString('hex');
    const { nodes } = await prepareNodes({ homes: network.homes, folder, user: USER, password, record });
    await Promise.all(nodes.map((node) => node.start()));
    const balancers = [
      await ClusterBalancer.start(nodes.map(({ amqp }) => amqp)),
      await ClusterBalancer.start(nodes.map(({ amqp }) => amqp)),
      await ClusterBalancer.start(nodes.map(({ management }) => management)),
    ] as const;
    const cluster = new Cluster({ nodes, network, password, balancers, remove });
    await Promise.all(nodes.map((node) => cluster.joined(node)));
    void cluster.counters.watch(cluster.#closing.signal);
    return cluster;
  }

  /** Its data goes with it, so nothing waits for a shutdown in good order. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const balancer of this.#balancers) await balancer[Symbol.asyncDispose]();
    await Promise.all(this.nodes.map((node) => node.kill()));
    process.off('exit', this.#remove);
    this.#remove();
  }

  /** Resolves when this node sees the whole cluster and serves. */
  async joined(node: ClusterNode, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    await untilJoined(node, { size: SIZE, timeoutMs });
  }

  /** Cuts every cable between one node and the others. */
  isolate(node: ClusterNode): void {
    const n = this.nodes.indexOf(node);
    for (const m of this.nodes.keys()) if (m !== n) this.network.cut(n, m);
  }

  mend(): void {
    if (this.network.obstacle !== undefined) return;
    for (const n of this.nodes.keys()) for (const m of this.nodes.keys()) if (n < m) this.network.mend(n, m);
  }

  /** What the APIs go through. */
  get apiBalancer(): ClusterBalancer {
    return this.#balancers[1];
  }

  /** As the first node tells that answers. */
  async queues(vhost: string, nodes: readonly ClusterNode[] = this.nodes): Promise<QuorumQueue[]> {
    return await Promise.any(
      nodes
        .filter(({ running }) => running)
        .map((node) => node.ask<QuorumQueue[]>(`/queues/${encodeURIComponent(vhost)}`)),
    );
  }

  node(name: string): ClusterNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** For a stage: a vhost of its own, and how its programs reach it. */
  async createVhost(name: string): Promise<{ url: string; apiUrl: string; management: ClusterManagement }> {
    const at = (scheme: string, { port }: ClusterBalancer) =>
      `${scheme}://${USER}:${this.#password}@127.0.0.1:${port}`;
    const [workers, apis, people] = this.#balancers;
    const managementUrl = at('http', people);
    const management = new ClusterManagement({ managementUrl, vhost: name, nodes: this.nodes });
    const check = async () => {
      await management.createVhost({ user: USER });
      return true;
    };
    await waitUntil({ what: `vhost ${name}`, check, timeoutMs: START_TIMEOUT_MS });
    await this.#startVhost(name, management);
    return {
      url: `${at('amqp', workers)}/${name}`,
      apiUrl: `${at('amqp', apis)}/${name}`,
      management,
    };
  }

  /** A node that was not quite up when the vhost was made does not serve it until it is told to. */
  async #startVhost(name: string, management: ManagementClient): Promise<void> {
    const check = async () => {
      const vhost = await management.request<{ cluster_state?: Record<string, string> }>(
        'GET',
        `/vhosts/${name}`,
      );
      const { cluster_state: states = {} } = vhost ?? {};
      const idle = this.nodes.filter((node) => states[node.name] !== 'running');
      for (const node of idle) await management.request('POST', `/vhosts/${name}/start/${node.name}`);
      return idle.length === 0 || undefined;
    };
    await waitUntil({
      what: `vhost ${name} on every node`,
      check,
      timeoutMs: START_TIMEOUT_MS,
      intervalMs: 500,
    });
  }
}

interface Parts {
  nodes: readonly ClusterNode[];
  network: ClusterNetwork;
  password: string;
  /** To AMQP for the workers, to AMQP for the APIs, to the management API. */
  balancers: readonly [ClusterBalancer, ClusterBalancer, ClusterBalancer];
  /** Ends the processes and takes the network down, at once. */
  remove: () => void;
}
