import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { PassingOn } from '../../src/worker/passing-on.ts';
import { Slots } from '../../src/worker/slots.ts';
import { listen } from '../support/events.ts';
import { slotConsumer } from '../support/slot-consumer.ts';

interface Answers {
  opened?: () => Promise<void>;
  ready?: () => number | undefined;
  available?: (ids: readonly string[]) => readonly string[];
  publish?: (ids: readonly string[]) => readonly string[] | undefined;
}

/** Slots that pass on to a broker which answers so; by default its queue is empty and it takes everything. */
function passing(
  size: number,
  {
    ready = () => 0,
    opened = async () => {},
    available = (ids) => ids,
    publish = (ids) => ids,
  }: Answers = {},
) {
  const events = new Events();
  const published: string[][] = [];
  const passingOn = new PassingOn({
    queue: 'default',
    events,
    countReady: async () => ready(),
    opened,
    publishAgain: async (ids) => {
      published.push([...ids]);
      const confirmed = publish(available(ids));
      return confirmed && { available: new Set(available(ids)), published: new Set(confirmed) };
    },
  });
  const slots: Slots = new Slots({ slots: size, onWaiting: () => void passingOn.watch(slots) });
  return { ...slotConsumer(slots), slots, passingOn, events, published };
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

test('a worker that drains passes on all that waits beside running jobs, as soon as it can publish; the rest goes back with its message', async () => {
  const connected = Promise.withResolvers<void>();
  const { slots, passingOn, deliver, settled, ends, events, published } = passing(2, {
    ready: () => 1,
    opened: () => connected.promise,
  });
  using passedOn = listen(events, 'hints.passed-on');
  deliver('m1', ['1', '3', '4', '5']);
  deliver('m2', ['6']);
  await ends('3');
  deliver('m3', ['7', '8', '9']);
  const done = passingOn.passOnAll(slots.drain());
  expect(published).toEqual([]);
  connected.resolve();
  await done;
  expect(published).toEqual([['5']]);
  expect(passedOn.all).toEqual([{ queue: 'default', count: 1 }]);
  for (const id of ['1', '4']) await ends(id);
  expect(settled).toEqual([
    ['m2', 'requeue'],
    ['m3', 'requeue'],
    ['m1', 'ack'],
  ]);
});

test('what a draining worker cannot publish goes back with its message, when its running jobs have ended', async () => {
  const { slots, passingOn, deliver, settled, ends, published } = passing(1, {
    opened: async () => {
      throw new Error('the broker is away');
    },
  });
  deliver('m1', ['1', '2', '3']);
  await passingOn.passOnAll(slots.drain());
  expect(published).toEqual([]);
  expect(settled).toEqual([]);
  await ends('1');
  expect(settled).toEqual([['m1', 'requeue']]);
});
