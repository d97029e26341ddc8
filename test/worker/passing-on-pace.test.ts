// How long passing on waits between two looks. The waits are recorded and last no time.
import { expect, test, vi } from 'vitest';
import type { PublishedAgain } from '../../src/queue/outbox.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { PassingOn } from '../../src/worker/passing-on.ts';
import { Slots } from '../../src/worker/slots.ts';
import { eventually } from '../support/eventually.ts';
import { slotConsumer } from '../support/slot-consumer.ts';

const waits = vi.hoisted((): number[] => []);

vi.mock(import('../../src/shared/base/backoff.ts'), async (original) => ({
  ...(await original()),
  sleep: async (ms: number) => {
    waits.push(ms);
    await new Promise(setImmediate);
  },
}));

/** The distinct waits until `looks` looks have been made at ten ids that wait, one at a time. */
async function waitsOf(
  looks: number,
  answer: (ids: readonly string[]) => PublishedAgain | undefined,
): Promise<number[]> {
  let asked = 0;
  const passingOn = new PassingOn({
    queue: 'default',
    events: new Events(),
    countReady: async () => 0,
    opened: async () => {},
    publishAgain: async (ids) => {
      asked += 1;
      return answer(ids);
    },
  });
  const slots: Slots = new Slots({ slots: 1, onWaiting: () => void passingOn.watch(slots) });
  const { deliver, close, ends } = slotConsumer(slots);
  waits.length = 0;
  deliver('m1', ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11']);
  await eventually(
    () => asked,
    (count) => count >= looks,
  );
  const distinct = [...new Set(waits)];
  close();
  await ends('1'); // nothing waits any more
  return distinct;
}

const none = new Set<string>();

test('that nothing of what waits is available is no failure: the next look comes as soon as ever', async () => {
  expect(await waitsOf(10, () => ({ available: none, published: none }))).toEqual([60]);
});

test('where the broker takes nothing, or confirms nothing, the looks become rare', async () => {
  for (const answer of [
    () => undefined,
    (ids: readonly string[]) => ({ available: new Set(ids), published: none }),
  ]) {
    const longest = Math.max(...(await waitsOf(8, answer)));
    expect(longest).toBeGreaterThan(1_000);
  }
});
