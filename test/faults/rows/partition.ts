// Row 22: a cluster of three nodes is split, three times, by cables that are cut: what is sent is lost, and nobody is told.
// Jobs of one queue are held back (it is paused), so that what its rows say can be compared with what the broker has.
import { setTimeout as delay } from 'node:timers/promises';
import amqplib from 'amqplib';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { ClusterNode } from '../../../dev/services/cluster-node.ts';
import { eventually } from '../../support/eventually.ts';
import { queueDepth } from '../stage/broker-queue.ts';
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

const PARTITION_MS = 30_000;
const NOTICE_TIMEOUT_MS = 25_000;
const BACK_TIMEOUT_MS = 20_000;
const REST_MS = 5_000;
const HELD_QUEUE = 'webhooks';
/** The machine that answers runs three nodes beside. */
const MAX_ANSWER_MS = 3_000;
const OUTBOX_TIMEOUT_MS = 60_000;

const partitioned: Row = {
  number: 22,
  title: 'Cluster: the leader cut off, a follower cut off, the APIs cut off with a follower',
  allowsExtraRuns: true,
  // Its own look at the held messages is a delivery of each.
  maxAmplification: 2,
  stage: { openBroker: Cluster.open },
  play: async (scene) => {
    const cluster = clusterOf(scene);
    const { obstacle } = cluster.network;
    if (obstacle !== undefined)
      return scene.prove('network namespaces, whose cables can be cut', obstacle, false);
    scene.figure('cut by', 'taking down the cables between network namespaces');
    await checkMembers(scene, cluster);
    await holdBack(scene);
    const { from, to } = await loadDuring(scene, { perSecond: scene.size(100), ms: 20 }, async () => {
      await delay(REST_MS);
      const leader = await findLeader(scene, cluster);
      await split(scene, { node: leader.node, name: 'leader alone', holdsUpPublishing: true });
      await split(scene, { node: await findFollower(scene, cluster), name: 'follower alone' });
      const follower = await findFollower(scene, cluster);
      cluster.apiBalancer.only(follower.amqp);
      await untilApisOn(scene, follower);
      await split(scene, { node: follower, name: 'follower and APIs alone', holdsUpPublishing: true });
      cluster.apiBalancer.only(undefined);
    });
    checkAnswersInTime(scene, { from, to, maxMs: MAX_ANSWER_MS });
    await compareHeld(scene);
    await askApi(scene, `/v1/queues/${HELD_QUEUE}/resume`);
    scene.healed();
  },
  judge: (scene, { figures }) => scene.atMost('extra_runs', 0, figures.extraRuns),
};

async function findFollower(scene: Scene, cluster: Cluster): Promise<ClusterNode> {
  const leader = (await findLeader(scene, cluster)).node;
  const follower = cluster.nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error('there is no follower');
  return follower;
}

async function split(
  scene: Scene,
  { node, name, holdsUpPublishing = false }: { node: ClusterNode; name: string; holdsUpPublishing?: boolean },
): Promise<void> {
  const cluster = clusterOf(scene);
  const startedAt = monotonicMs();
  cluster.isolate(node);
  const watching = watchOutbox(scene, startedAt + PARTITION_MS);
  const hasGivenUp = async () => !(await node.serves());
  await eventually(hasGivenUp, Boolean, { timeoutMs: NOTICE_TIMEOUT_MS, everyMs: 250 }).catch(() => {});
  const afterMs = Math.round(monotonicMs() - startedAt);
  scene.prove(`${name}: ${node.name} found itself alone, after ms`, afterMs, await hasGivenUp());
  const most = await watching;
  scene.figure(`${name}: most rows that waited in the outbox`, most);
  if (holdsUpPublishing) scene.check(`${name}: rows that waited for their publish`, '> 0', most, most > 0);
  scene.atMost(
    `${name}: publish gap, ms`,
    PARTITION_MS,
    cluster.counters.longestSilenceMs({ from: startedAt, to: monotonicMs() }),
  );
  const mendedAt = monotonicMs();
  cluster.mend();
  await untilBack(scene, node, name);
  await untilWhole(scene, { cluster, node, name, startedAt: mendedAt });
  await delay(REST_MS);
}

/**
 * A node that saw no majority serves again by itself, save where RabbitMQ 3.10 cannot boot over the remains of a broken connection to a peer
 * (`rabbit_net:dist_info`, case_clause): then it is restarted, as a probe would have it.
 */
async function untilBack(scene: Scene, node: ClusterNode, name: string): Promise<void> {
  const cluster = clusterOf(scene);
  try {
    await cluster.joined(node, BACK_TIMEOUT_MS);
  } catch {
    scene.figure(`${name}: restarted, for it did not come back by itself`, node.name);
    await node.kill();
    await node.start();
  }
}

/** The most rows at once that were a second old and not published; until that moment. */
async function watchOutbox(scene: Scene, until: number): Promise<number> {
  let most = 0;
  while (monotonicMs() < until) {
    most = Math.max(most, await countUnpublished(scene));
    await delay(500);
  }
  return most;
}

async function countUnpublished({ stage }: Scene): Promise<number> {
  return await stage.sql(async (sql) => {
    const [row] = await sql`
      select count(*)::int as count from warren.jobs
      where state = 'available' and published_at is null and created_at < now() - interval '1 second'`;
    return Number(row?.['count']);
  });
}

/** Both APIs publish through this node, and know no other. */
async function untilApisOn(scene: Scene, { name }: ClusterNode): Promise<void> {
  const nodes = await eventually(
    async () => await connectedNodes(scene, 'api'),
    (found) => found.length === scene.stage.apis.length && found.every((node) => node === name),
    { timeoutMs: 30_000, everyMs: 250 },
  );
  await scene.stage.ready(scene.stage.apis); // connected is not enough: they declare what they need first
  scene.prove(`connections of APIs on ${name}`, nodes.length, true);
}

async function askApi({ stage }: Scene, path: string): Promise<void> {
  const response = await fetch(`${stage.apis[0]?.url}${path}`, {
    method: 'POST',
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
}

/** From here on no worker takes from the queue. */
async function holdBack(scene: Scene): Promise<void> {
  await askApi(scene, `/v1/queues/${HELD_QUEUE}/pause`);
  await eventually(
    async () => (await queueDepth(scene, `warren.${HELD_QUEUE}`)).consumers,
    (consumers) => consumers === 0,
    { timeoutMs: 15_000, everyMs: 100 },
  );
}

/** A row that says it was published has its message in the broker: none was marked without its confirm. */
async function compareHeld(scene: Scene): Promise<void> {
  const startedAt = monotonicMs();
  await eventually(
    async () => await countUnpublished(scene),
    (count) => count === 0,
    { timeoutMs: OUTBOX_TIMEOUT_MS, everyMs: 250 },
  ).catch(() => {});
  scene.exactly('rows still in the outbox after healing', 0, await countUnpublished(scene));
  scene.figure('outbox empty after the last healing, ms', monotonicMs() - startedAt);
  const held = await readHeld(scene);
  const inBroker = new Set(held);
  const marked = await scene.stage.sql(
    async (sql) =>
      await sql<{ id: string }[]>`
      select id::text as id from warren.jobs
      where queue = ${HELD_QUEUE} and state = 'available' and published_at is not null`,
  );
  scene.prove('held rows that say they were published', marked.length, marked.length > 0);
  scene.exactly(
    'rows marked as published whose message is not in the broker',
    0,
    marked.filter(({ id }) => !inBroker.has(id)).length,
  );
  scene.figure('messages held twice', held.length - inBroker.size);
}

/** The ids in the queue's messages, which go back to their places when the channel closes. */
async function readHeld({ stage }: Scene): Promise<string[]> {
  const connection = await amqplib.connect(stage.amqpUrl);
  try {
    const channel = await connection.createChannel();
    const ids: string[] = [];
    for (;;) {
      const message = await channel.get(`warren.${HELD_QUEUE}`);
      if (message === false) return ids;
      ids.push(...message.content.toString('latin1').split(' '));
    }
  } finally {
    await connection.close();
  }
}

export const partitionRows: readonly Row[] = [partitioned];
