// The load generator as its parent sees it: a child process that fires when it is told to.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { withDeadline } from '../../src/shared/base/backoff.ts';

export interface Load {
  url: string;
  requests: number;
  connections: number;
  /** What every connection sends. Defaults to `/api/test/:id`, with orders of its own for each. */
  request?: { method: 'POST'; path: string; body: string; headers: Record<string, string> };
}

export interface LoadResult {
  /** When the connections were made and the last answer came, by the machine's monotonic clock. */
  startedAt: number;
  endedAt: number;
  /** Answers with a status of 2xx. */
  completed: number;
  /** Errors of the connection, timeouts, and answers with another status. */
  failed: number;
  /** Of every answer, in milliseconds. */
  latenciesMs: number[];
}

const TIMEOUT_MS = 120_000;

export class LoadGenerator implements Disposable {
  readonly #child: ChildProcess = fork(new URL('load-generator.ts', import.meta.url), {
    serialization: 'advanced',
  });

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async fire(load: Load): Promise<LoadResult> {
    const answered = once(this.#child, 'message');
    this.#child.send(load);
    const late = () => new Error(`the load on ${load.url} did not end within ${TIMEOUT_MS} ms`);
    const [result] = await withDeadline(answered, TIMEOUT_MS, late);
    return result as LoadResult;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
