// Row 15: somebody deletes a queue, and then purges one, with the messages of hundreds of jobs in it.

import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { MAX_IDS_WRITTEN } from '../../../src/shared/rabbitmq/message.ts';
import { eventually } from '../../support/eventually.ts';
import { queueDepth } from '../stage/broker-queue.ts';
import type { Row, Scene } from '../stage/scene.ts';

const QUEUE = 'warren.default';
/** Jobs, of which a message carries some. */
const WAITING = 500;

/** Fills the queue, and answers how many messages wait there when the fault is due. */
async function fill(scene: Scene): Promise<{ waiting: number; wave: Promise<void> }> {
  const wave = scene.load.burst(scene.size(1_500), { ms: 500, queue: 'default' });
  const { ready: waiting } = await eventually(
    () => queueDepth(scene, QUEUE),
    ({ ready }) => ready >= scene.size(WAITING) / MAX_IDS_WRITTEN,
    { timeoutMs: 15_000, everyMs: 100 },
  );
  return { waiting, wave };
}

const queueLost: Row = {
  number: 15,
  title: 'A queue is deleted, then one is purged',
  isCore: true,
  stage: { workerQueues: 'critical:5:20,default:5:2,webhooks:5:20,reports:5:1' },
  play: async (scene) => {
    const { stage } = scene;
    const first = await fill(scene);
    await stage.management.deleteQueue(QUEUE);
    const deletedAt = monotonicMs();
    scene.prove('ready messages in the queue that was deleted', first.waiting, first.waiting > 0);
    const consumers = async () => (await queueDepth(scene, QUEUE)).consumers;
    await eventually(consumers, (count) => count === 15, { timeoutMs: 30_000, everyMs: 50 }).catch(() => {});
    scene.atMost('declared and subscribed again, ms', 5_000, monotonicMs() - deletedAt);
    scene.exactly('consumers on the queue declared anew', 15, await consumers());
    await first.wave;
    await timeDrain(scene, 'drained after the delete, seconds', deletedAt);
    const second = await fill(scene);
    await stage.management.purgeQueue(QUEUE);
    const purgedAt = monotonicMs();
    scene.prove('ready messages in the queue that was purged', second.waiting, second.waiting > 0);
    await second.wave;
    await timeDrain(scene, 'drained after the purge, seconds', purgedAt);
    scene.healed();
  },
};

/** Republished within 60 s, and then the backlog's own time: 1 500 jobs of half a second in 30 slots are 25 s. */
async function timeDrain(scene: Scene, name: string, since: number): Promise<void> {
  await scene.stage.drain();
  scene.atMost(name, 60 + 25, (monotonicMs() - since) / 1_000);
}

export const queueRows: readonly Row[] = [queueLost];
