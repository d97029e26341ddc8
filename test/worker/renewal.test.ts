import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import type { RenewalLimits } from '../../src/worker/renewal.ts';
import { Renewal } from '../../src/worker/renewal.ts';
import { listen } from '../support/events.ts';

const never: RenewalLimits = { jobs: undefined, memoryMb: undefined, ms: undefined };
const finished = {
  jobId: '1',
  type: 'greet',
  queue: 'default',
  attempt: 1,
  outcome: 'completed',
  durationMs: 1,
  error: undefined,
};

test('so many attempts end it, once', async () => {
  const events = new Events();
  using renewing = listen(events, 'worker.renewing');
  using renewal = new Renewal({ limits: { ...never, jobs: 10 }, events, random: () => 0 });
  for (let count = 0; count < 9; count += 1) events.publish('attempt.finished', finished);
  expect(renewing.all).toEqual([]);
  for (let count = 0; count < 9; count += 1) events.publish('attempt.finished', finished);
  await renewal.due;
  expect(renewing.all).toEqual([expect.objectContaining({ reason: 'jobs', limit: 10, jobs: 10 })]);
});

test('so much memory ends it', async () => {
  const events = new Events();
  using renewing = listen(events, 'worker.renewing');
  let megabytes = 99;
  const memory = () => megabytes * 1_048_576;
  using renewal = new Renewal({ limits: { ...never, memoryMb: 100 }, events, random: () => 0, memory });
  expect(renewing.all).toEqual([]);
  megabytes = 100;
  await renewal.due;
  expect(renewing.all).toMatchObject([{ reason: 'memory', limit: 100, memoryMb: 100 }]);
});

test('so much time ends it', async () => {
  const events = new Events();
  using renewing = listen(events, 'worker.renewing');
  using renewal = new Renewal({ limits: { ...never, ms: 20 }, events, random: () => 0 });
  await renewal.due;
  expect(renewing.all).toMatchObject([{ reason: 'time', limit: 20 }]);
});

test('each draws a limit of its own, up to a fifth below what is set', async () => {
  const drawn = [0, 0.5, 1].map((share) => {
    const events = new Events();
    using renewing = listen(events, 'worker.renewing');
    using _renewal = new Renewal({ limits: { ...never, jobs: 100 }, events, random: () => share });
    for (let count = 0; count < 100; count += 1) events.publish('attempt.finished', finished);
    return renewing.all[0]?.limit;
  });
  expect(drawn).toEqual([100, 90, 80]);
});
