import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { FallbackLane } from '../../src/worker/fallback-lane.ts';

/** Without a wake they would take longer than the test may: a round that finds nothing is followed by up to half a second. */
const ROUNDS = 500;

test('a wake ends the wait after a round that found nothing, also one that comes during the round', async () => {
  const enough = Promise.withResolvers<void>();
  let rounds = 0;
  const lane = new FallbackLane({
    events: new Events(),
    queues: () => [{ queue: 'default', channels: 1, prefetch: 1 }],
    isNeeded: () => true,
    claimNext: async () => {
      rounds += 1;
      if (rounds % 2 === 0) lane.wake();
      else setImmediate(() => lane.wake());
      if (rounds === ROUNDS) enough.resolve();
      return [];
    },
    run: async () => {},
    runningIn: () => 0,
  });
  lane.start();
  await enough.promise;
  await lane.drain();
  expect(rounds).toBeGreaterThanOrEqual(ROUNDS);
});
