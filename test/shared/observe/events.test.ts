import { channel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { publishEvent, subscribe } from '../../../src/shared/observe/events.ts';

test('an event reaches every subscriber until it unsubscribes, and foreign ones by the name of the channel', () => {
  const seen: unknown[] = [];
  const foreign = (message: unknown) => seen.push(['foreign', message]);
  const unsubscribe = subscribe('publish.confirmed', (message) => seen.push(['own', message]));
  channel('warren:publish.confirmed').subscribe(foreign);
  publishEvent('publish.confirmed', { count: 1 });
  unsubscribe();
  publishEvent('publish.confirmed', { count: 2 });
  channel('warren:publish.confirmed').unsubscribe(foreign);
  publishEvent('publish.confirmed', { count: 3 });
  expect(seen).toEqual([
    ['own', { count: 1 }],
    ['foreign', { count: 1 }],
    ['foreign', { count: 2 }],
  ]);
});
