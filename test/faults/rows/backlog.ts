// Row 34: fifty thousand jobs wait for workers that are away, under the eyes of the reconciler.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import { MAX_IDS_WRITTEN } from '../../../src/shared/rabbitmq/message.ts';
import { readyMessages } from '../stage/broker-queue.ts';
import type { Row, Scene } from '../stage/scene.ts';
import { pauseDefault } from './outbox.ts';

const JOBS = 50_000;
/** The fewest messages that have room for them, and some that are not full. */
const messagesOf = (jobs: number) => Math.ceil(jobs / MAX_IDS_WRITTEN);
const NOT_FULL = 1.05;
const BATCH = 5_000;
const WATCH_MS = 300_000;

const backlog: Row = {
  number: 34,
  title: 'Fifty thousand jobs wait for five minutes',
  maxAmplification: 1.05, // some of what waits for a slot is passed on
  play: async (scene) => {
    const { stage } = scene;
    const jobs = scene.size(JOBS);
    // Workers that maintain, and take nothing from `default`. They serve it all the same, or nobody would publish its jobs again.
    await pauseDefault(scene, true);
    for (const worker of stage.workers) {
      await worker.end('SIGTERM');
      await worker.start();
    }
    await stage.ready();
    for (let first = 0; first < jobs; first += BATCH)
      await submitBatch(scene, first, Math.min(BATCH, jobs - first));
    const startedAt = monotonicMs();
    let most = 0;
    while (monotonicMs() - startedAt < scene.size(WATCH_MS)) {
      most = Math.max(most, await readyMessages(scene, 'warren.default'));
      await delay(2_000);
    }
    scene.prove('messages that waited', most, most >= messagesOf(jobs));
    scene.atMost('most messages in the broker', messagesOf(jobs) * NOT_FULL, most);
    await pauseDefault(scene, false);
    for (const worker of stage.workers) {
      await worker.end('SIGTERM');
      await worker.start();
    }
    await stage.ready();
    scene.healed();
  },
};

/** In one request, into `default`: jobs that do nothing. Their keys go on from `first`. */
export async function submitBatch({ stage }: Scene, first: number, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, n) => `b${first + n}`);
  stage.submits.write(...keys.map((key) => ({ key, phase: 'invoke' as const })));
  const response = await fetch(`${stage.apis[0]?.url}/v1/jobs/batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `batch-${first}` },
    body: JSON.stringify({
      jobs: keys.map((key) => ({ type: 'fault-work', args: { key, ms: 0 }, queue: 'default' })),
    }),
    signal: AbortSignal.timeout(30_000),
  });
  if (response.status !== 202) throw new Error(`the batch was answered with ${response.status}`);
  const { ids } = (await response.json()) as { ids: string[] };
  stage.submits.write(
    ...keys.map((key, n) => ({ key, phase: 'ok' as const, status: 202, jobId: ids[n] ?? '' })),
  );
}

export const backlogRows: readonly Row[] = [backlog];
