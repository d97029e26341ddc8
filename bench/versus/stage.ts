// One contender with its places, an API and some workers: what every scenario plays on.
// A worker that ends by itself is started again after a second, as an orchestrator does.
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../dev/free-port.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import { Child } from './child.ts';
import type { Contender, Places, ProgramPlan, Store } from './contender.ts';
import type { Run } from './programs/effect-book.ts';
import { readRuns } from './programs/effect-book.ts';
import { placesEnv } from './programs/places.ts';
import { folder } from './servers/servers.ts';

export interface StageOptions {
  contender: Contender;
  places: Places;
  /** Names its books. */
  scenario: string;
  notes: 'runs' | 'tally';
}

const READY_TIMEOUT_MS = 60_000;
const RESTART_MS = 1_000;

export class Stage {
  readonly contender: Contender;
  readonly places: Places;
  readonly book: string;
  /** Every worker process so far, by slot. */
  readonly workers: Child[] = [];
  readonly #options: StageOptions;
  readonly #log: string;
  readonly #planned = new Set<Child>();
  #api: Child | undefined;
  #apiUrl = '';
  #isClosed = false;
  /** Workers that ended although nobody asked them to. */
  unplannedExits = 0;

  constructor(options: StageOptions) {
    this.#options = options;
    this.contender = options.contender;
    this.places = options.places;
    const { scenario, contender } = options;
    this.book = join(folder, 'books', scenario, contender.name);
    rmSync(this.book, { recursive: true, force: true });
    mkdirSync(this.book, { recursive: true });
    this.#log = join(this.book, 'programs.log');
  }

  get api(): Child {
    if (this.#api === undefined) throw new Error('the API was not started');
    return this.#api;
  }

  get apiUrl(): string {
    return this.#apiUrl;
  }

  async startApi(): Promise<void> {
    const { contender, places } = this;
    const [port = 0] = await freePorts(1);
    const plan = contender.programs?.api(places, port) ?? ownProgram('api', places, { PORT: String(port) });
    this.#api = await this.#start(plan);
    this.#apiUrl = `http://127.0.0.1:${port}`;
    await waitUntil({
      what: `the API of ${contender.title}`,
      check: async () => {
        const url = `${this.#apiUrl}${plan.readyPath ?? '/readyz'}`;
        const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
        // Warren's says 200 while a dependency is away that it can do without
        return response.ok && !(await response.text()).includes('degraded') ? true : undefined;
      },
      timeoutMs: READY_TIMEOUT_MS,
    });
  }

  async startWorker(concurrency: number): Promise<Child> {
    const { contender, places } = this;
    const env = { VERSUS_CONCURRENCY: String(concurrency) };
    const plan = contender.programs?.worker(places, concurrency) ?? ownProgram('worker', places, env);
    const worker = await this.#start(plan);
    this.workers.push(worker);
    void worker.exited.then(() => this.#replace(worker, concurrency));
    return worker;
  }

  /** Ends a worker for good. */
  async kill(worker: Child): Promise<void> {
    this.#planned.add(worker);
    await worker.kill();
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
    const children = [...(this.#api === undefined ? [] : [this.#api]), ...this.workers];
    await Promise.all(
      children.filter(({ hasExited }) => !hasExited).map(async (child) => await child.kill()),
    );
  }

  async #start(plan: ProgramPlan): Promise<Child> {
    const { contender, notes } = this.#options;
    const env = { VERSUS_BOOK: this.book, VERSUS_NOTES: notes, ...plan.env };
    return await Child.start({ ...plan, args: [contender.name], env, log: this.#log });
  }

  async #replace(worker: Child, concurrency: number): Promise<void> {
    if (this.#isClosed || this.#planned.has(worker)) return;
    this.unplannedExits += 1;
    await delay(RESTART_MS);
    if (!this.#isClosed) await this.startWorker(concurrency);
  }
}

function ownProgram(program: 'api' | 'worker', places: Places, env: Record<string, string>): ProgramPlan {
  const file = join(import.meta.dirname, 'programs', `${program}.ts`);
  return { file, env: { ...placesEnv(places), ...env } };
}
