// Rows 21 and 23: a cluster of three nodes loses the one that leads, then another; and all three are restarted, one after the other.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { ClusterNode } from '../../../dev/services/cluster-node.ts';
import { eventually } from '../../support/eventually.ts';
import { readEffectBook } from '../books/effect-book.ts';
import { Cluster } from '../stage/cluster.ts';
import {
  checkMembers,
  clusterOf,
  connectedNodes,
  findLeader,
  loadDuring,
  untilWhole,
} from '../stage/cluster-scene.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { checkAnswersInTime } from './broker.ts';
import { runningIn } from './kills.ts';

const BACKLOG = 2_000;
const DOWN_MS = 20_000;
const MAX_GAP_MS = 10_000;
const MAX_ANSWER_MS = 1_000;
/** Two hundred submits a second, on the machine that a killed node boots on. */
const MAX_ANSWER_WHILE_NODES_BOOT_MS = 3_000;

const nodesKilled: Row = {
  number: 21,
  title: 'Cluster: the leading node is killed over a backlog, then under load, then another one',
  allowsExtraRuns: true,
  maxAmplification: 1.5,
  stage: { openBroker: Cluster.open },
  play: async (scene) => {
    const cluster = clusterOf(scene);
    await checkMembers(scene, cluster);
    await killOverBacklog(scene, cluster);
    const { from, to } = await loadDuring(scene, { perSecond: scene.size(200), ms: 20 }, async () => {
      await delay(5_000);
      const { node, queues } = await findLeader(scene, cluster);
      await killUnderLoad(scene, { cluster, node, name: `leader of ${queues} queues` });
      await delay(5_000);
      const leader = (await findLeader(scene, cluster)).node;
      const follower = cluster.nodes.find((other) => other !== leader) ?? node;
      await killUnderLoad(scene, { cluster, node: follower, name: 'follower' });
    });
    scene.healed();
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_WHILE_NODES_BOOT_MS });
    scene.atMost('publish gap, ms', MAX_GAP_MS, cluster.counters.longestSilenceMs({ from, to }));
    scene.atMost('longest time without the start of a run, ms', MAX_GAP_MS, longestPause(scene, from, to));
  },
  // The matrix allows those that ran: their workers live, so there is no reason to start one again.
  judge: (scene, { figures }) => scene.atMost('extra_runs', 0, figures.extraRuns),
};

/** Jobs wait, nobody works; the leader goes; the workers come. Each job runs once, and none was lost with the leader. */
async function killOverBacklog(scene: Scene, cluster: Cluster): Promise<void> {
  const { stage, load } = scene;
  const jobs = scene.size(BACKLOG);
  await Promise.all(stage.workers.map((worker) => worker.end('SIGTERM')));
  await load.burst(jobs);
  const ready = await eventually(
    () => stage.countPublished(),
    (count) => count >= jobs,
    { timeoutMs: 30_000, everyMs: 250 },
  );
  const { node, queues } = await findLeader(scene, cluster);
  await kill(scene, node, `backlog: leader of ${queues} queues, messages of ${ready} jobs waiting`);
  const startedAt = monotonicMs();
  await Promise.all(stage.workers.map((worker) => worker.start()));
  scene.exactly('backlog: jobs that have not ended', 0, await stage.drain());
  scene.figure('backlog: workers started to last job, ms', monotonicMs() - startedAt);
  const runs = readEffectBook(stage.bookFolder);
  scene.exactly('backlog: jobs that ran', jobs, new Set(runs.map(({ jobId }) => jobId)).size);
  scene.exactly('backlog: runs', jobs, runs.length);
  await node.start();
  await untilWhole(scene, { cluster, node, name: 'backlog' });
}

async function killUnderLoad(
  scene: Scene,
  { cluster, node, name }: { cluster: Cluster; node: ClusterNode; name: string },
): Promise<void> {
  const running = scene.stage.workers.reduce((sum, { pid }) => sum + runningIn(scene, pid), 0);
  await kill(scene, node, name);
  scene.figure('running at the kills', running + Number(scene.figures['running at the kills'] ?? 0));
  await delay(DOWN_MS);
  await node.start();
  await untilWhole(scene, { cluster, node, name });
}

async function kill(scene: Scene, node: ClusterNode, name: string): Promise<void> {
  const { pid } = node;
  await node.kill();
  scene.prove(`${name}: killed`, `${node.name}, pid ${pid}`, !node.running);
}

/** Between the starts of two runs, whichever worker has them. */
function longestPause(scene: Scene, from: number, to: number): number {
  const starts = readEffectBook(scene.stage.bookFolder)
    .map(({ startedAt }) => startedAt)
    .filter((at) => at >= from && at <= to)
    .toSorted((a, b) => a - b);
  return [...starts, to].reduce((longest, at, n) => Math.max(longest, at - (starts[n - 1] ?? from)), 0);
}

const rollingRestart: Row = {
  number: 23,
  title: 'Cluster: rolling restart of the three nodes',
  maxAmplification: 1.5,
  stage: { openBroker: Cluster.open },
  play: async (scene) => {
    const cluster = clusterOf(scene);
    await checkMembers(scene, cluster);
    const { from, to } = await loadDuring(scene, { perSecond: scene.size(100), ms: 20 }, async () => {
      await delay(3_000);
      await checkSpread(scene, 'before');
      for (const node of cluster.nodes) {
        await restart(scene, cluster, node);
        await checkSpread(scene, `after ${node.name}`);
      }
    });
    scene.healed();
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
    scene.figure('publish gap, ms', cluster.counters.longestSilenceMs({ from, to }));
    scene.figure('longest time without the start of a run, ms', longestPause(scene, from, to));
  },
};

/** Only when no queue would lose its majority with it. */
async function restart(scene: Scene, cluster: Cluster, node: ClusterNode): Promise<void> {
  const isExpendable = async () =>
    await node.ask('/health/checks/node-is-quorum-critical').then(
      () => true,
      () => false,
    );
  await eventually(isExpendable, Boolean, { timeoutMs: 60_000, everyMs: 250 });
  const { pid } = node;
  const startedAt = monotonicMs();
  await node.stop();
  scene.prove(`${node.name}: stopped`, `pid ${pid}`, !node.running);
  scene.figure(`${node.name}: stopped after, ms`, monotonicMs() - startedAt);
  await node.start();
  await untilWhole(scene, { cluster, node, name: node.name });
}

async function checkSpread(scene: Scene, when: string): Promise<void> {
  const count = async () => new Set(await connectedNodes(scene)).size;
  const nodes = await eventually(count, (seen) => seen >= 2, { timeoutMs: 15_000, everyMs: 250 }).catch(
    count,
  );
  scene.check(`nodes that the connections lie on, ${when}`, '>= 2', nodes, nodes >= 2);
}

export const clusterRows: readonly Row[] = [nodesKilled, rollingRestart];
