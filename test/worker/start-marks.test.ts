import { expect, test, vi } from 'vitest';
import { StartMarks } from '../../src/worker/start-marks.ts';

test('a claim whose answer was lost counts as unheard for its time, and no longer, though nothing is claimed after it', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const marks = new StartMarks({ tell: async () => {}, owner: () => '1', isRunning: () => false });
    const lost = marks.claimed(
      async () => {
        throw new Error('the connection broke');
      },
      () => [],
    );
    expect(marks.hasUnheard).toBe(false); // it may still be answered
    await expect(lost).rejects.toThrow('the connection broke');
    vi.advanceTimersByTime(24_000);
    expect(marks.hasUnheard).toBe(true);
    vi.advanceTimersByTime(2_000);
    expect(marks.hasUnheard).toBe(false);
  } finally {
    vi.useRealTimers();
  }
});
