import { describe, expect, test } from 'vitest';
import { ArgsRoom, LARGE_ABOVE_BYTES } from '../../src/worker/args-room.ts';

const KIB = 1_024;
const never = new AbortController().signal;

/** 64 KiB for small arguments, 192 KiB for large ones. */
const createRoom = () => new ArgsRoom(256 * KIB);

/** Takes room and writes the name down when it has it. */
function taker(room: ArgsRoom) {
  const entered: string[] = [];
  const take = (name: string, bytes: number, signal = never) =>
    room.take(bytes, signal).then((hasEntered) => entered.push(hasEntered ? name : `${name} left`));
  return { entered, take };
}

/** Whatever can settle by itself has settled. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('large arguments', () => {
  test('get in by their turn as room is given back', async () => {
    const room = createRoom();
    const { entered, take } = taker(room);
    void take('first', 100 * KIB);
    void take('second', 150 * KIB);
    void take('third', 20 * KIB); // would fit: but the second would never get in
    await settled();
    expect(entered).toEqual(['first']);
    expect(room.waiting).toBe(2);
    room.give(100 * KIB);
    await settled();
    expect(entered).toEqual(['first', 'second', 'third']);
    expect(room.takenBytes).toBe(170 * KIB);
  });

  test('that exceed all the room have it to themselves', async () => {
    const room = createRoom();
    const { entered, take } = taker(room);
    void take('some', 20 * KIB);
    void take('giant', 1_000 * KIB);
    void take('next', 20 * KIB);
    await settled();
    expect(entered).toEqual(['some']);
    room.give(20 * KIB);
    await settled();
    expect(entered).toEqual(['some', 'giant']);
    room.give(1_000 * KIB);
    await settled();
    expect(entered).toEqual(['some', 'giant', 'next']);
    room.give(20 * KIB);
    expect(room.takenBytes).toBe(0);
  });

  test('do not keep small ones out, nor the other way round', async () => {
    const room = createRoom();
    const { entered, take } = taker(room);
    void take('large', 192 * KIB);
    void take('waits', 192 * KIB);
    for (let n = 0; n < 4; n += 1) void take('small', LARGE_ABOVE_BYTES);
    void take('waits too', LARGE_ABOVE_BYTES);
    await settled();
    expect(entered).toEqual(['large', 'small', 'small', 'small', 'small']);
  });
});

test('what waits leaves at its signal, and those behind it move up', async () => {
  const room = createRoom();
  const { entered, take } = taker(room);
  const leaving = new AbortController();
  void take('first', 100 * KIB);
  void take('leaving', 192 * KIB, leaving.signal);
  void take('behind', 20 * KIB);
  leaving.abort();
  await settled();
  expect(entered).toEqual(['first', 'leaving left', 'behind']);
});

test('a claim of unknown sizes gets what is free, and nothing while others wait', async () => {
  const room = createRoom();
  const { take } = taker(room);
  expect(room.small.takeUpTo(1_000_000)).toBe(64 * KIB);
  expect(room.small.takeUpTo(1)).toBe(0);
  void take('waits', 10 * KIB);
  room.give(5 * KIB);
  expect(room.small.takeUpTo(1)).toBe(0);
  room.give(5 * KIB);
  expect(room.small.takeUpTo(1)).toBe(0); // all of it went to the one that waited
  room.give(10 * KIB);
  expect(room.small.takeUpTo(1)).toBe(1);
});
