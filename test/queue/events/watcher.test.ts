// What one who watches holds: bounded, and told when it is too slow.
import { expect, test } from 'vitest';
import { Watcher } from '../../../src/queue/events/watcher.ts';
import type { WatchItem } from '../../../src/shared/job/job-event.ts';

const item = (kind: 'ready' | 'idle', position: string): WatchItem => ({ kind, position });

async function all(watcher: Watcher): Promise<string[]> {
  const seen: string[] = [];
  for await (const each of watcher.items()) seen.push(`${each.kind} ${each.position}`);
  return seen;
}

test('hands on what comes, in order, and ends after what waits', async () => {
  const watcher = new Watcher();
  const seen = all(watcher);
  expect(watcher.push(item('ready', '1'), 10)).toBe(true);
  await new Promise(setImmediate);
  watcher.push(item('ready', '2'), 10);
  watcher.end();
  expect(watcher.push(item('ready', '3'), 10)).toBe(false);
  expect(await seen).toEqual(['ready 1', 'ready 2']);
});

test('who lets too many bytes come together is told to look at the jobs, and gets nothing more', async () => {
  const watcher = new Watcher();
  for (let bytes = 0; bytes < 1_048_576; bytes += 262_144)
    expect(watcher.push(item('ready', String(bytes)), 262_144)).toBe(true);
  expect(watcher.push(item('ready', 'last'), 1)).toBe(false);
  expect(await all(watcher)).toEqual(['reset last']);
});

test('of several quiet times that nobody has taken the last one waits', async () => {
  const watcher = new Watcher();
  for (const position of ['1', '2', '3']) watcher.push(item('idle', position), 200);
  watcher.end();
  expect(await all(watcher)).toEqual(['idle 3']);
});
