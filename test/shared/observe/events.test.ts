import { once } from 'node:events';
import { expect, test } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';

test('an event reaches every subscriber in turn until it unsubscribes', () => {
  const events = new Events();
  const seen: unknown[] = [];
  const unsubscribe = events.subscribe('publish.confirmed', ({ count }) => seen.push(['first', count]));
  events.subscribe('publish.confirmed', ({ count }) => seen.push(['second', count]));
  events.publish('publish.confirmed', { count: 1 });
  unsubscribe();
  unsubscribe();
  events.publish('publish.confirmed', { count: 2 });
  events.publish('publish.returned', { jobId: '7', queue: 'default' });
  expect(seen).toEqual([
    ['first', 1],
    ['second', 1],
    ['second', 2],
  ]);
});

test('what subscribes twice is called twice, and ends one subscription at a time', () => {
  const events = new Events();
  let calls = 0;
  const listener = () => {
    calls += 1;
  };
  const [first] = [events.subscribe('log.dropped', listener), events.subscribe('log.dropped', listener)];
  events.publish('log.dropped', { lines: 1 });
  first();
  first();
  events.publish('log.dropped', { lines: 1 });
  expect(calls).toBe(3);
});

test('a subscription that ends while its event is told of keeps the event from nobody', () => {
  const events = new Events();
  const seen: string[] = [];
  const unsubscribe = events.subscribe('log.dropped', () => {
    seen.push('once');
    unsubscribe();
  });
  events.subscribe('log.dropped', () => seen.push('always'));
  events.publish('log.dropped', { lines: 1 });
  events.publish('log.dropped', { lines: 1 });
  expect(seen).toEqual(['once', 'always', 'always']);
});

test('two instances hear nothing of each other', () => {
  const [one, other] = [new Events(), new Events()];
  const seen: unknown[] = [];
  one.subscribe('publish.confirmed', ({ count }) => seen.push(count));
  other.publish('publish.confirmed', { count: 1 });
  one.publish('publish.confirmed', { count: 2 });
  expect(seen).toEqual([2]);
});

test('a listener that throws hurts neither the publisher nor the others, and is warned of once', async () => {
  const events = new Events();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const heard: number[] = [];
  events.subscribe('publish.confirmed', () => {
    throw new TypeError('broken');
  });
  events.subscribe('publish.confirmed', ({ count }) => heard.push(count));
  for (const count of [1, 2, 3]) events.publish('publish.confirmed', { count });
  const last = once(process, 'warning', { signal: AbortSignal.timeout(60_000) });
  process.emitWarning('the last');
  await last;
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  expect(heard).toEqual([1, 2, 3]);
  expect(warnings.map(({ name, message }) => [name, message])).toEqual([
    ['WarrenWarning', 'a listener of "publish.confirmed" throws: TypeError: broken'],
    ['Warning', 'the last'],
  ]);
});
