// One contender with its places, an API and some workers: what every scenario plays on.
// A worker that ends by itself is started again after a second, as an orchestrator does.
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { OwnedProcess } from '../../dev/owned-process.ts';
import { signalProcess } from '../../dev/running-process.ts';
import { monotonicMs } from '../stage/monotonic.ts';
import type { Participants } from '../stage/processor-time.ts';
import { serverParticipants } from '../stage/processor-time.ts';
import type { Stage } from '../stage/stage.ts';
import type { Contender, Places, ProgramPlan, Store } from './contender.ts';
import type { Run } from './programs/effect-book.ts';
import { readRuns } from './programs/effect-book.ts';
import { placesEnv } from './programs/places.ts';

export interface FleetOptions {
  stage: Stage;
  contender: Contender;
  places: Places;
  /** Names its books. */
  scenario: string;
  notes: 'runs' | 'tally';
}

const RESTART_MS = 1_000;

export class ContenderFleet {
  readonly contender: Contender;
  readonly places: Places;
  readonly book: string;
  /** Every worker process so far. */
  readonly workers: OwnedProcess[] = [];
  /** When a worker was killed, in monotonic milliseconds, by its process number. */
  readonly killedAt = new Map<number, number>();
  readonly #options: FleetOptions;
  #api: { process: OwnedProcess; url: string } | undefined;
  #started = 0;
  #isClosed = false;
  /** Workers that ended although nobody asked them to. */
  unplannedExits = 0;

  constructor(options: FleetOptions) {
    const { stage, scenario, contender, places } = options;
    this.#options = options;
    this.contender = contender;
    this.places = places;
    this.book = join(stage.folder, 'books', scenario, contender.name);
    rmSync(this.book, { recursive: true, force: true });
    mkdirSync(this.book, { recursive: true });
  }

  get api(): { process: OwnedProcess; url: string } {
    if (this.#api === undefined) throw new Error('the API was not started');
    return this.#api;
  }

  async startApi(): Promise<void> {
    const { contender, places } = this;
    const plan = contender.programs?.api(places) ?? ownProgram('api', this);
    this.#api = await this.#options.stage.start(this.#program('api', plan));
  }

  async startWorker(concurrency: number): Promise<OwnedProcess> {
    const { contender, places } = this;
    const env = { VERSUS_CONCURRENCY: String(concurrency) };
    const plan = contender.programs?.worker(places, concurrency) ?? ownProgram('worker', this, env);
    this.#started += 1;
    const worker = await this.#options.stage.spawn(this.#program(`worker-${this.#started}`, plan));
    this.workers.push(worker);
    void worker.exited.then(() => this.#replace(worker, concurrency));
    return worker;
  }

  /** The API's process and the servers, as far as they are processes of ours. */
  get participants(): Participants {
    return { api: this.api.process.pid, ...serverParticipants(this.#options.stage) };
  }

  /** Those that have not ended. */
  get livingWorkers(): OwnedProcess[] {
    return this.workers.filter(({ exit }) => exit === undefined);
  }

  /** Ends a worker for good, as `kill -9` does: what it has started lives on. */
  async kill(worker: OwnedProcess): Promise<void> {
    this.killedAt.set(worker.pid, monotonicMs());
    signalProcess(worker.pid, 'SIGKILL');
    await worker.exited;
  }

  runs(): Run[] {
    return readRuns(this.book);
  }

  /** Asks the contender's own book, through connections that live no longer than the question. */
  async store<T>(question: (store: Store) => Promise<T>): Promise<T> {
    const store = await this.contender.open(this.places);
    try {
      return await question(store);
    } finally {
      await store.close();
    }
  }

  /** Makes room for notes of a new run; no worker may live. */
  clearNotes(): void {
    for (const file of globSync('{tally,effects-*}.json*', { cwd: this.book })) rmSync(join(this.book, file));
  }

  /** Ends its processes at once. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const processes = [...(this.#api === undefined ? [] : [this.#api.process]), ...this.workers];
    await Promise.all(processes.map(async (each) => await this.#options.stage.end(each)));
  }

  /** Without the flags of Warren's images: all contenders run on Node as it is. */
  #program(name: string, { env, nodeArgs = [], ...plan }: ProgramPlan) {
    const { scenario, notes } = this.#options;
    return {
      name: `${scenario}-${this.contender.name}-${name}`,
      ...plan,
      env: { NODE_ENV: 'production', VERSUS_BOOK: this.book, VERSUS_NOTES: notes, ...env },
      nodeArgs,
    };
  }

  async #replace(worker: OwnedProcess, concurrency: number): Promise<void> {
    if (this.#isClosed || this.killedAt.has(worker.pid)) return;
    this.unplannedExits += 1;
    await delay(RESTART_MS);
    if (!this.#isClosed) await this.startWorker(concurrency);
  }
}

function ownProgram(
  program: 'api' | 'worker',
  { contender, places }: ContenderFleet,
  env: Readonly<Record<string, string>> = {},
): ProgramPlan {
  return {
    file: `bench/versus/programs/${program}.ts`,
    args: [contender.name],
    env: { ...placesEnv(places), ...env },
  };
}
