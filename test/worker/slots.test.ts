import { expect, test } from 'vitest';
import type { Hint } from '../../src/worker/slots.ts';
import { Slots } from '../../src/worker/slots.ts';
import { slotConsumer as consumer } from '../support/slot-consumer.ts';

const slotsOf = (slots: number) => {
  let waits = 0;
  const onWaiting = () => {
    waits += 1;
  };
  const made = new Slots({ slots, onWaiting });
  return { slots: made, waits: () => waits };
};
const idsOf = (hints: readonly Hint[]) => hints.map(({ id }) => id);
const all = { waitedMs: 0, keep: 0, atMost: 100 };

test('no more jobs run than there are slots, whichever messages they came in; the others wait in order', async () => {
  const { slots, waits } = slotsOf(3);
  const { deliver, started, ends } = consumer(slots);
  deliver('m1', ['1', '2']);
  expect(waits()).toBe(0);
  deliver('m2', ['3', '4', '5']);
  expect(started).toEqual(['1', '2', '3']);
  expect(slots.waiting).toBe(2);
  expect(waits()).toBe(1);
  await ends('2');
  expect(started).toEqual(['1', '2', '3', '4']);
  await ends('1');
  expect(started).toEqual(['1', '2', '3', '4', '5']);
  expect(slots.waiting).toBe(0);
  expect(slots.started).toBe(5);
});

test('a message is settled when its last job is done, as the worst of its jobs asks', async () => {
  const { slots } = slotsOf(20);
  const { deliver, settled, ends } = consumer(slots);
  deliver('acknowledged', ['1', '2']);
  deliver('rejected', ['3', '4']);
  deliver('requeued', ['5', '6', '7']);
  deliver('left', ['8', '9', '10']);
  await ends('1');
  expect(settled).toEqual([]);
  await ends('2');
  for (const [id, settlement] of [
    ['3', 'reject'],
    ['4', 'ack'],
    ['5', 'reject'],
    ['6', 'requeue'],
    ['7', 'ack'],
    ['8', 'requeue'],
    ['9', 'unacked'],
    ['10', 'ack'],
  ] as const)
    await ends(id, settlement);
  expect(settled).toEqual([
    ['rejected', 'reject'],
    ['requeued', 'requeue'],
    ['acknowledged', 'ack'], // when the jobs here were no more than the messages
    ['left', 'unacked'],
  ]);
});

test('a slot is free when its handler has ended, with as many records behind as there are slots', async () => {
  const { slots } = slotsOf(2);
  const { deliver, started, settled, handlerEnds, ends } = consumer(slots);
  deliver('m1', ['1', '2', '3', '4', '5', '6']);
  handlerEnds('1');
  expect(started).toEqual(['1', '2', '3']);
  handlerEnds('2');
  expect(started).toEqual(['1', '2', '3', '4']);
  handlerEnds('3');
  handlerEnds('4');
  expect(started).toEqual(['1', '2', '3', '4']); // four records are on their way
  await ends('1');
  expect(started).toEqual(['1', '2', '3', '4', '5']);
  for (const id of ['2', '3', '4', '5']) await ends(id);
  expect(settled).toEqual([]);
  await ends('6');
  expect(settled).toEqual([['m1', 'ack']]);
});

test('while jobs outnumber the messages that the broker waits for, none of those is acknowledged', async () => {
  const { slots } = slotsOf(4);
  const { deliver, settled, ends } = consumer(slots);
  deliver('m1', ['1', '2', '3', '4']);
  deliver('m2', ['5']);
  for (const { delivered } of slots.takeWaiting(all)) delivered.done('ack'); // passed on
  expect(settled).toEqual([]); // four jobs run, and RabbitMQ shall not send another one
  await ends('1');
  await ends('2');
  expect(settled).toEqual([]); // as many messages as jobs: what comes for one of them finds a slot
  await ends('3');
  expect(settled).toEqual([['m2', 'ack']]);
  await ends('4');
  expect(settled.at(-1)).toEqual(['m1', 'ack']);
});

test('a message of one job is acknowledged as soon as it is done, however busy the slots are', async () => {
  const { slots } = slotsOf(2);
  const { deliver, settled, ends } = consumer(slots);
  for (const id of ['1', '2']) deliver(`m${id}`, [id]);
  await ends('1');
  expect(settled).toEqual([['m1', 'ack']]);
});

test('what waits is taken out from behind, oldest first, and may come again', async () => {
  const { slots } = slotsOf(1);
  const { deliver, started, ends } = consumer(slots);
  deliver('m1', ['1', '2', '3', '4', '5']);
  expect(idsOf(slots.takeWaiting({ ...all, waitedMs: 60_000 }))).toEqual([]);
  const taken = slots.takeWaiting({ waitedMs: 0, keep: 1, atMost: 2 });
  expect(idsOf(taken)).toEqual(['3', '4']);
  expect(slots.waiting).toBe(2);
  for (const hint of taken) slots.enter(hint);
  for (const id of ['1', '2', '5', '3']) await ends(id);
  expect(started).toEqual(['1', '2', '5', '3', '4']);
});

test('what is to stay for a while is not taken out before, and keeps nobody else', async () => {
  const { slots } = slotsOf(1);
  const { deliver, started, ends } = consumer(slots);
  deliver('m1', ['1', '2', '3']);
  const [two] = slots.takeWaiting({ ...all, atMost: 1 }) as [Hint];
  slots.enter({ ...two, staysUntil: Number.POSITIVE_INFINITY });
  expect(idsOf(slots.takeWaiting(all))).toEqual(['3']);
  expect(idsOf(slots.takeWaiting(all))).toEqual([]);
  await ends('1');
  expect(started).toEqual(['1', '2']); // a slot it gets all the same
});

test('ids whose channel has gone are not run and not passed on: the broker delivers them again', async () => {
  const { slots } = slotsOf(1);
  const old = consumer(slots);
  const { deliver, started } = consumer(slots);
  old.deliver('m1', ['1', '2', '3']);
  old.close();
  deliver('m2', ['2', '3']);
  expect(idsOf(slots.takeWaiting({ ...all, keep: 1 }))).toEqual(['2', '3']);
  await old.ends('1');
  expect(old.started).toEqual(['1']);
  expect(old.settled).toEqual([['m1', 'unacked']]);
  expect(started).toEqual([]);
});

test('for messages whose channel has gone nothing is acknowledged: the broker waits for them no more', async () => {
  const { slots } = slotsOf(2);
  const old = consumer(slots);
  const { deliver, settled } = consumer(slots);
  for (const id of ['1', '2']) old.deliver(`m${id}`, [id]);
  old.close();
  slots.forgetLost();
  deliver('m3', ['3']);
  for (const { delivered } of slots.takeWaiting({ ...all, keep: 0 })) delivered.done('ack'); // passed on
  expect(settled).toEqual([]);
  for (const id of ['1', '2']) await old.ends(id);
  expect(settled).toEqual([['m3', 'ack']]);
});

test('what waits when the worker drains, and what comes then, goes back to the queue, or is handed out where it waits beside a running job', async () => {
  const { slots } = slotsOf(2);
  const { deliver, started, settled, ends } = consumer(slots);
  deliver('m1', ['1']);
  deliver('m2', ['2', '3']);
  deliver('m3', ['4']);
  const besideRunning = slots.drain();
  expect(idsOf(besideRunning)).toEqual(['3']);
  expect(slots.waiting).toBe(0);
  deliver('m4', ['5']);
  expect(settled).toEqual([
    ['m3', 'requeue'],
    ['m4', 'requeue'],
  ]);
  await ends('2');
  expect(settled).toHaveLength(2);
  for (const { delivered } of besideRunning) delivered.done('ack'); // passed on
  expect(settled.at(-1)).toEqual(['m2', 'ack']);
  await ends('1');
  expect(settled.at(-1)).toEqual(['m1', 'ack']);
  expect(started).toEqual(['1', '2']);
});
