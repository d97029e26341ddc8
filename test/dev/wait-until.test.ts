// Waiting for what can only be asked for: the answer, the deadline, the sign of life and the ways to give up.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { waitUntil } from '../../dev/wait-until.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** The wait sleeps on node:timers/promises, which fake timers leave alone; only the clock is ours. */
const slow = (ms: number) => async () => {
  vi.advanceTimersByTime(ms);
  return undefined;
};

test('answers the first value, errors before it are forgiven', async () => {
  let calls = 0;
  const check = () => {
    calls += 1;
    if (calls < 3) throw new Error('not yet');
    return 'there';
  };
  expect(await waitUntil({ what: 'it', check, timeoutMs: 5_000, intervalMs: 1 })).toBe('there');
});

test('at the deadline it names what was waited for and the last error', async () => {
  const check = () => {
    vi.advanceTimersByTime(3_000);
    throw new Error('refused');
  };
  await expect(waitUntil({ what: 'the port', check, timeoutMs: 5_000, intervalMs: 1 })).rejects.toThrow(
    'waited 5 s for the port: refused',
  );
});

test('says after a second what it waits for, then every five', async () => {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const waiting = waitUntil({ what: 'it', check: slow(1_000), timeoutMs: 7_000, intervalMs: 1, log });
  await expect(waiting).rejects.toThrow('waited 7 s for it');
  expect(lines).toEqual(['waiting for it (1 s) …', 'waiting for it (6 s) …']);
});

test('gives up at once when it has become impossible, or was called off', async () => {
  const assertPossible = () => {
    throw new Error('it has ended');
  };
  const check = () => undefined;
  await expect(waitUntil({ what: 'it', check, assertPossible, timeoutMs: 5_000 })).rejects.toThrow(
    'it has ended',
  );
  const signal = AbortSignal.abort(new Error('called off'));
  await expect(waitUntil({ what: 'it', check, signal, timeoutMs: 5_000 })).rejects.toThrow('called off');
});
