import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { PassingOn } from '../../src/worker/passing-on.ts';
import { Slots } from '../../src/worker/slots.ts';
import { listen } from '../support/events.ts';
import { slotConsumer } from '../support/slot-consumer.ts';

interface Answers {
  ready?: () => number | undefined;
  publish?: (ids: readonly string[]) => readonly string[];
}

/** Slots that pass on to a broker which answers so; by default its queue is empty and it takes everything. */
function passing(size: number, { ready = () => 0, publish = (ids) => ids }: Answers = {}) {
  const events = new Events();
  const published: string[][] = [];
  const passingOn = new PassingOn({
    queue: 'default',
    events,
    countReady: async () => ready(),
    publishAgain: async (ids) => {
      published.push([...ids]);
      return new Set(publish(ids));
    },
  });
  const slots: Slots = new Slots({ slots: size, onWaiting: () => void passingOn.watch(slots) });
  return { ...slotConsumer(slots), slots, events, published };
}

test('what waits behind jobs that do not end is passed on, in order and no more at a time than there are slots', async () => {
  const { deliver, settled, ends, events, published } = passing(2);
  using passedOn = listen(events, 'hints.passed-on');
  deliver('m1', ['1', '2', '3', '4', '5', '6', '7']);
  await passedOn.count(3);
  expect(published).toEqual([['3', '4'], ['5', '6'], ['7']]);
  expect(passedOn.all.map(({ count }) => count)).toEqual([2, 2, 1]);
  expect(settled).toEqual([]); // two of its jobs run
  for (const id of ['1', '2']) await ends(id);
  expect(settled).toEqual([['m1', 'ack']]);
});

test('what is going to have a slot soon stays', async () => {
  const { deliver, ends, events, published } = passing(1);
  using passedOn = listen(events, 'hints.passed-on');
  deliver('m1', ['1', '2', '3', '4', '5', '6', '7', '8']);
  await ends('1'); // one slot since the first look
  await passedOn.first();
  expect(published).toEqual([['7']]);
});

test('while the queue holds messages for everybody, only what has waited for a second is passed on', async () => {
  const { deliver, events, published } = passing(1, { ready: () => 1 });
  using passedOn = listen(events, 'hints.passed-on');
  const since = performance.now();
  deliver('m1', ['1', '2']);
  await passedOn.first();
  expect(performance.now() - since).toBeGreaterThanOrEqual(1_000);
  expect(published).toEqual([['2']]);
});

test('where the broker does not tell, nobody is taken for idle', async () => {
  const { deliver, events } = passing(1, { ready: () => undefined });
  using passedOn = listen(events, 'hints.passed-on');
  const since = performance.now();
  deliver('m1', ['1', '2']);
  await passedOn.first();
  expect(performance.now() - since).toBeGreaterThanOrEqual(1_000);
});

test('what could not be published goes on waiting and is tried again, or gets its slot', async () => {
  let tries = 0;
  const { deliver, started, ends, events, published } = passing(2, {
    publish: (ids) => {
      tries += 1;
      if (tries === 1) throw new Error('Postgres is away');
      return tries === 2 ? [] : ids.slice(0, 1);
    },
  });
  using passedOn = listen(events, 'hints.passed-on');
  using retried = listen(events, 'write.retried');
  deliver('m1', ['1', '2', '3', '4']);
  await passedOn.first();
  expect(retried.all).toMatchObject([{ what: 'pass on' }]);
  expect(published).toEqual([
    ['3', '4'],
    ['3', '4'],
    ['3', '4'],
  ]);
  await ends('1');
  expect(started).toEqual(['1', '2', '4']);
});
