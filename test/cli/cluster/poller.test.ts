import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Poller } from '../../../src/cli/cluster/poller.ts';
import type { Reading } from '../../../src/cli/cluster/reading.ts';
import { eventually, HANG_MS } from '../../support/eventually.ts';

test('asks one question at a time, and keeps the latest answer', async () => {
  let underWay = 0;
  let most = 0;
  let asked = 0;
  const readings: Reading<number>[] = [];
  const poller = new Poller({
    intervalMs: 1,
    deadlineMs: HANG_MS,
    question: async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await delay(1);
      underWay -= 1;
      asked += 1;
      return asked;
    },
    onReading: (reading) => readings.push(reading),
  });
  poller.start();
  poller.start();
  await eventually(
    () => asked,
    (count) => count >= 3,
  );
  await poller.stop();
  expect(most).toBe(1);
  expect(poller.latest).toEqual(readings.at(-1));
});

test('a question that is never answered is given up, and asked again', async () => {
  const signals: AbortSignal[] = [];
  const poller = new Poller({
    intervalMs: 1,
    deadlineMs: 20,
    question: (signal) => {
      signals.push(signal);
      return new Promise(() => {});
    },
  });
  poller.start();
  await eventually(
    () => signals.length,
    (count) => count >= 2,
  );
  expect(signals[0]?.aborted).toBe(true);
  expect(poller.latest).toEqual({ ok: false, reason: 'no answer within 0.02 s' });
  await poller.stop();
});

test('what takes long is asked for less often', async () => {
  const startedAt: number[] = [];
  const poller = new Poller({
    intervalMs: 1,
    deadlineMs: HANG_MS,
    question: async () => {
      startedAt.push(performance.now());
      await delay(20);
    },
  });
  poller.start();
  await eventually(
    () => startedAt.length,
    (count) => count >= 2,
  );
  await poller.stop();
  const [first = 0, second = 0] = startedAt;
  expect(second - first).toBeGreaterThan(60); // about 100; without the rest about 21. Timers may be early by some milliseconds
});
