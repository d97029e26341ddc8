/**
 * Lets held jobs through their gates on behalf of one process, and has those published that are available then.
 *
 * Guarantees: one admission of this process at a time, however many ask; each gate that was asked for is looked at after it was asked for. Never throws: what
 * fails here, and what a process leaves undone that dies, the leader's gatekeeper does within a second.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { notify } from '#shared/postgres/notices.ts';
import { admitJobs } from '#shared/postgres/statements/admit.ts';
import { BATCH_PREFIX } from '#shared/postgres/statements/states.ts';
import { announce } from '../announce.ts';
import { BatchKeeper } from '../batches/batch-keeper.ts';

/** Gates of one statement: it holds the lock of admission for some milliseconds. */
const GATES_AT_ONCE = 50;
/** Gates that wait to be looked at, some 100 bytes each. What comes beyond is the gatekeeper's. */
const MAX_GATES = 20_000;
/** The gatekeeper finds by itself within that time what opens, in milliseconds. */
const TELL_AGAIN_MS = 1_000;

export interface AdmissionOptions {
  database: Pick<Database, 'query' | 'transaction'>;
  /** Publishes jobs that are available and committed. Never throws. */
  publish: (jobs: readonly Publishable[]) => Promise<void>;
  events: Events;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #batches: BatchKeeper;
  readonly #gates = new Set<string>();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const { database, publish, events } = options;
    const announcing = { events, publish, admit: (gates: Iterable<string>) => this.admit(gates) };
    this.#batches = new BatchKeeper({
      database,
      announce: (jobs, rows) => announce(announcing, jobs, rows),
      events,
    });
  }

  /** Has these gates looked at soon: a job waits there, or a place has become free; and these batches, which may have ended with a job. */
  admit(gates: Iterable<string>): void {
    const batches: string[] = [];
    for (const gate of gates)
      if (gate.startsWith(BATCH_PREFIX)) batches.push(gate.slice(BATCH_PREFIX.length));
      else if (this.#gates.size < MAX_GATES) this.#gates.add(gate);
    if (batches.length > 0) this.#batches.look(batches);
    if (this.#gates.size === 0 || this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Looks at these gates and batches now. Returns the milliseconds until one of them lets somebody through, by gate, where that is a question of time. Throws `Unavailable`. */
  async admitNow(given: readonly string[]): Promise<Map<string, number>> {
    const { true: batches = [], false: gates = [] } = Object.groupBy(given, (gate) =>
      gate.startsWith(BATCH_PREFIX) ? 'true' : 'false',
    );
    if (batches.length > 0)
      await this.#batches.lookNow(batches.map((name) => name.slice(BATCH_PREFIX.length)));
    if (gates.length === 0) return new Map();
    const { jobs, waits } = await this.#options.database.query((sql) => admitJobs(sql, gates));
    void this.#options.publish(jobs);
    return new Map(waits.map(({ gate, ms }) => [gate, ms]));
  }

  /** Resolves when nothing is under way that was asked for before. */
  async idle(): Promise<void> {
    await this.#running;
    await this.#batches.idle();
  }

  /** A gate opens with time: the gatekeeper looks after it as soon as it knows. */
  async #tellGatekeeper(): Promise<void> {
    if (performance.now() - this.#toldAt < TELL_AGAIN_MS) return;
    this.#toldAt = performance.now();
    await this.#options.database.query((sql) => sql`select ${notify(sql, { kind: 'due' })}`);
  }

  async #run(): Promise<void> {
    await sleep(0); // what one turn of the event loop asks for goes together
    while (this.#gates.size > 0) {
      const gates = [...this.#gates].slice(0, GATES_AT_ONCE);
      for (const gate of gates) this.#gates.delete(gate);
      try {
        const waits = await this.admitNow(gates);
        for (const [gate, ms] of waits) if (ms === 0) this.#gates.add(gate);
        if (waits.values().some((ms) => ms > 0)) await this.#tellGatekeeper();
      } catch (error) {
        this.#options.events.publish('write.retried', { what: 'admit', retry: 1, error });
      }
    }
    this.#isRunning = false;
  }
}
