import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createNoticeHandler } from '../../src/worker/notice-handler.ts';
import { eventually } from '../support/eventually.ts';

function listen() {
  const calls = { ownJobs: 0, queues: 0, wakes: 0, laneWakes: 0 };
  const onNotice = createNoticeHandler({
    attempts: { runs: (id) => id === '1' },
    rowLooks: {
      atOwnJobs: async () => {
        calls.ownJobs += 1;
      },
      atQueues: async () => {
        calls.queues += 1;
      },
    },
    maintenance: {
      wake: () => {
        calls.wakes += 1;
      },
    },
    fallbackLane: {
      wake: () => {
        calls.laneWakes += 1;
      },
    },
  });
  return { calls, onNotice };
}

test('a notice makes the worker look at rows; one about a job that runs elsewhere does not even that', () => {
  const { calls, onNotice } = listen();
  onNotice({ kind: 'cancel', jobId: '2' });
  expect(calls).toEqual({ ownJobs: 0, queues: 0, wakes: 0, laneWakes: 0 });
  onNotice({ kind: 'cancel', jobId: '1' });
  onNotice({ kind: 'queues' });
  expect(calls).toMatchObject({ ownJobs: 1, queues: 1, laneWakes: 0 });
});

test('a flood of notices about queues wakes the gatekeeper, at a bounded rate', async () => {
  const { calls, onNotice } = listen();
  for (let n = 0; n < 1_000; n += 1) onNotice({ kind: 'queues' });
  await eventually(
    () => calls.wakes,
    (wakes) => wakes > 0,
  );
  expect(calls.wakes).toBeLessThanOrEqual(2); // the second is for what came during the first
});

test('a flood of notices about due jobs wakes the chores and the fallback lane at a bounded rate', async () => {
  const { calls, onNotice } = listen();
  const startedAt = performance.now();
  for (let burst = 0; burst < 20; burst += 1) {
    for (let n = 0; n < 1_000; n += 1) onNotice({ kind: 'due' });
    await delay(5);
  }
  expect(calls.wakes).toBeGreaterThan(0);
  expect(calls.wakes).toBeLessThanOrEqual((performance.now() - startedAt) / 20 + 2);
  expect(calls.laneWakes).toBe(calls.wakes);
});
