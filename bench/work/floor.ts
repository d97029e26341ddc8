// The raw floor as its parent sees it.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { withDeadline } from '../../src/shared/base/backoff.ts';
import type { FloorRun } from './floor-consumer.ts';

const TIMEOUT_MS = 120_000;

/** How many seconds it takes a fresh process. */
export async function measureFloor(run: FloorRun): Promise<number> {
  const child = fork(new URL('floor-consumer.ts', import.meta.url));
  try {
    child.send(run);
    const late = () =>
      new Error(`the floor did not consume ${run.messages} messages within ${TIMEOUT_MS} ms`);
    const [seconds] = await withDeadline(once(child, 'message'), TIMEOUT_MS, late);
    return Number(seconds);
  } finally {
    child.kill('SIGKILL');
  }
}
