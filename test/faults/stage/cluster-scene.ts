// What the rows that play on a cluster ask of it: which node leads, whether the queues have their members, how the connections lie.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { ClusterNode } from '../../../dev/services/cluster-node.ts';
import { eventually } from '../../support/eventually.ts';
import type { QuorumQueue } from './cluster.ts';
import { Cluster } from './cluster.ts';
import { ClusterManagement } from './cluster-management.ts';
import type { Submission } from './load.ts';
import type { Scene } from './scene.ts';

const MEMBERS = 3;
const QUEUES = 5;
const ONLINE_TIMEOUT_MS = 60_000;

export function clusterOf({ stage }: Scene): Cluster {
  if (!(stage.broker instanceof Cluster)) throw new Error('this row does not play on a cluster');
  return stage.broker;
}

export function vhostOf({ stage }: Scene): string {
  return new URL(stage.amqpUrl).pathname.slice(1);
}

export async function checkMembers(scene: Scene, cluster: Cluster): Promise<void> {
  const queues = await cluster.queues(vhostOf(scene));
  const replicated = queues.filter(({ members = [] }) => members.length === MEMBERS);
  scene.exactly('queues with a member on each node', QUEUES, replicated.length);
}

/** The node that leads most queues, and how many. */
export async function findLeader(
  scene: Scene,
  cluster: Cluster,
): Promise<{ node: ClusterNode; queues: number }> {
  const queues = await eventually(
    async () => await cluster.queues(vhostOf(scene)),
    (found) => found.length === QUEUES && found.every(({ leader = '' }) => leader !== ''),
    { timeoutMs: ONLINE_TIMEOUT_MS, everyMs: 250 },
  );
  const [most] = [...Map.groupBy(queues, ({ leader = '' }) => leader)].toSorted(
    ([, a], [, b]) => b.length - a.length,
  );
  if (most === undefined) throw new Error('no queue has a leader');
  return { node: cluster.node(most[0]), queues: most[1].length };
}

/** Resolves when this node is in the cluster again and every queue has all its members online; notes how long that took. */
export async function untilWhole(
  scene: Scene,
  {
    cluster,
    node,
    name,
    startedAt = monotonicMs(),
  }: { cluster: Cluster; node: ClusterNode; name: string; startedAt?: number },
): Promise<void> {
  await cluster.joined(node);
  await eventually(
    async () => await cluster.queues(vhostOf(scene), [node]).catch((): QuorumQueue[] => []),
    (queues) => queues.length === QUEUES && queues.every(({ online = [] }) => online.length === MEMBERS),
    { timeoutMs: ONLINE_TIMEOUT_MS, everyMs: 250 },
  );
  scene.figure(`${name}: whole again after, ms`, monotonicMs() - startedAt);
}

/** The nodes that the programs' connections lie on, one entry for each connection. `kind`: of these programs alone. */
export async function connectedNodes(scene: Scene, kind?: 'api' | 'worker'): Promise<string[]> {
  const { management } = scene.stage;
  if (!(management instanceof ClusterManagement)) throw new Error('this row does not play on a cluster');
  return (await management.connections())
    .filter(({ user_provided_name: name = '' }) => kind === undefined || name.startsWith(`warren-${kind}@`))
    .map(({ node }) => node);
}

/** Load for as long as the fault takes. Resolves when every submit was answered or given up. */
export async function loadDuring(
  { load }: Scene,
  submission: Submission & { perSecond: number },
  fault: () => Promise<void>,
): Promise<{ from: number; to: number }> {
  const from = monotonicMs();
  const open: Promise<void>[] = [];
  let isOver = false;
  const feeding = (async () => {
    while (!isOver) {
      open.push(load.steady({ ...submission, seconds: 1 }));
      await delay(1_000);
    }
  })();
  try {
    await fault();
  } finally {
    isOver = true;
  }
  const to = monotonicMs();
  await feeding;
  await Promise.all(open);
  return { from, to };
}
