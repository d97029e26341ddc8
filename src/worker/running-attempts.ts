/**
 * The attempts that are under way in this process: how many there are of each queue, and whose handlers can be aborted.
 */
import { Abort } from './abort.ts';

export class RunningAttempts {
  /** By job; from the start of its handler until its outcome is recorded. */
  readonly #aborts = new Map<string, Abort>();
  readonly #byQueue = new Map<string, number>();

  /** How many handlers run now. */
  get handlers(): number {
    return this.#aborts.size;
  }

  /** How many attempts of the queue's jobs are under way, from the claim on. */
  of(queue: string): number {
    return this.#byQueue.get(queue) ?? 0;
  }

  /** How many attempts are under way, by queue; queues without one are left out. */
  get byQueue(): Record<string, number> {
    return Object.fromEntries([...this.#byQueue].filter(([, count]) => count > 0));
  }

  /** One of the queue's jobs is claimed. */
  enter(queue: string): void {
    this.#byQueue.set(queue, this.of(queue) + 1);
  }

  leave(queue: string): void {
    this.#byQueue.set(queue, this.of(queue) - 1);
  }

  /** The job's handler starts: what aborts it. */
  begin(jobId: string): Abort {
    const abort = new Abort();
    this.#aborts.set(jobId, abort);
    return abort;
  }

  /** The attempt that `abort` was made for is recorded. A later one of the same job goes on. */
  end(jobId: string, abort: Abort): void {
    if (this.#aborts.get(jobId) === abort) this.#aborts.delete(jobId);
  }

  /** Aborts the job's attempt, if it runs here. Its handler decides how fast it lets go. */
  cancel(jobId: string): void {
    this.#aborts.get(jobId)?.abort('cancel');
  }

  /** The claims of these jobs are over: aborts their attempts, if they run here. */
  lose(jobIds: readonly string[]): void {
    for (const jobId of jobIds) this.#aborts.get(jobId)?.abort('lost');
  }

  /** Aborts what runs still; it is handed back. */
  abortAll(): void {
    for (const abort of this.#aborts.values()) abort.abort('drain');
  }
}
