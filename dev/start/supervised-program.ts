// One program that is kept running: it is started again whenever it ends without having been asked, later and later while it does not last.
// Guarantees: at most one process of it runs; after `stop` has resolved none does, and none is started any more.
import { backoffMs, sleep } from '../../src/shared/base/backoff.ts';
import type { OwnedProcess } from '../owned-process.ts';
import { describeExit } from '../owned-process.ts';

export type SupervisedProgramOptions = {
  readonly name: string;
  readonly start: () => Promise<OwnedProcess>;
  readonly log: (line: string) => void;
  /** Defaults to 250 ms at first and 10 s at most. */
  readonly restart?: { readonly firstMs: number; readonly maxMs: number };
};

/** A process that has lasted so long begins with the shortest wait again. */
const lastingMs = 10_000;

export class SupervisedProgram {
  readonly name: string;
  readonly #options: SupervisedProgramOptions;
  readonly #stopping = new AbortController();
  #process: OwnedProcess;
  #supervision: Promise<void> | undefined;
  /** The process that was asked to make room for its successor. */
  #replaced: OwnedProcess | undefined;

  private constructor(options: SupervisedProgramOptions, process: OwnedProcess) {
    this.name = options.name;
    this.#options = options;
    this.#process = process;
  }

  /** Starts it for the first time. It is not started again before `supervise` is called. */
  static async start(options: SupervisedProgramOptions): Promise<SupervisedProgram> {
    return new SupervisedProgram(options, await options.start());
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Throws where it has ended by itself: for the time before it is supervised. */
  assertRunning(): void {
    this.#process.assertRunning();
  }

  supervise(): void {
    this.#supervision ??= this.#keepRunning();
  }

  /** `kill -9`: nothing of it is stopped in good order. */
  kill(): void {
    this.#process.kill();
  }

  /** Asks it to stop in good order; its successor is started at once after its end. */
  async replace(): Promise<void> {
    const process = this.#process;
    this.#replaced = process;
    await process.stop();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#process.stop();
    await this.#supervision;
  }

  async #keepRunning(): Promise<void> {
    const { name, log, restart = { firstMs: 250, maxMs: 10_000 } } = this.#options;
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const exit = await this.#process.exited;
      if (signal.aborted) return;
      if (this.#replaced === this.#process) failures = 0;
      else {
        failures = performance.now() - startedAt > lastingMs ? 1 : failures + 1;
        const waitMs = backoffMs(failures, restart);
        log(`${name} has ended (${describeExit(exit)}); it is started again in ${waitMs} ms`);
        await sleep(waitMs, signal);
        if (signal.aborted) return;
      }
      this.#process = await this.#options.start();
      // Whoever stops it meanwhile has stopped the one before.
      if (signal.aborted) await this.#process.stop();
      else log(`${name} runs again (pid ${this.#process.pid})`);
    }
  }
}
