// What every system under comparison can do, so that one scenario plays on all of them: the only thing that scenarios know of a contender.
// An adapter is thin: the calls that its documentation shows, with the settings that it recommends, and nothing that helps or hinders.
import type { Warren } from '../stage/warren.ts';

/** The job of every scenario. `key` names it in the books. */
export interface Work {
  key: string;
  /** What the handler takes, in milliseconds: 0 returns at once. */
  ms: number;
  /** Blocks the event loop for that time instead of waiting. Defaults to false. */
  spin?: boolean;
}

/** Where a contender finds its servers. Its database holds the orders too, whatever it keeps its jobs in. */
export interface Places {
  databaseUrl: string;
  amqpUrl: string;
  redisUrl: string;
}

export type Server = 'postgres' | 'rabbitmq' | 'redis';

export interface WorkerOptions {
  /** So many handlers at once. */
  concurrency: number;
  perform: (work: Work) => Promise<void>;
}

/** What an API process holds. */
export interface Producer {
  /** Resolves when the system says that the job is accepted. */
  enqueue(work: Work | { orderId: string }): Promise<string>;
}

/** The contender's own book, asked from outside. */
export interface Store {
  enqueueMany(works: readonly Work[]): Promise<void>;
  /** Keys of the jobs that wait or run, as the system has it. */
  held(): Promise<string[]>;
  /** How many wait or run. */
  count(): Promise<number>;
  /** Forgets all jobs. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** A program and the environment it is started with. */
export interface ProgramPlan {
  /** Below the root of the checkout. */
  file: string;
  /** Defaults to this one. */
  checkout?: string;
  args?: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Arguments of Node before the file. Defaults to none. */
  nodeArgs?: readonly string[];
}

export interface Contender {
  name: string;
  title: string;
  /** What has happened when it says "accepted". */
  durability: string;
  /** How and when its documentation has a dead worker's job run again, with the default settings. */
  recovery: string;
  /** Redis's `appendfsync`; undefined where there is no Redis. */
  appendfsync?: 'everysec' | 'always';
  /** What it keeps its jobs in or sends them through. */
  servers: readonly Server[];
  /** How its API looks an order up: a statement each, or in groups as Warren does. Defaults to `each`. */
  lookup?: 'each' | 'grouped';
  /** Makes its schema in an empty database. */
  prepare(places: Places): Promise<void>;
  open(places: Places): Promise<Store>;
  /** In the API's process. */
  connect(places: Places): Promise<Producer>;
  /** In the worker's process; runs until that ends. */
  work(places: Places, options: WorkerOptions): Promise<void>;
  /** The Warren whose schema its database has. Defaults to this one. */
  warren?: Warren;
  /**
   * Where its API publishes behind the answer, and counts the confirms: resolves when what it does behind those is done too, so that its cost is
   * counted. No worker may run.
   */
  settled?(places: Places): Promise<void>;
  /** Where its programs are its own instead of ours. */
  programs?: {
    /** Listens at `PORT`. */
    api(places: Places): ProgramPlan;
    worker(places: Places, concurrency: number): ProgramPlan;
  };
}

/** The name of the one queue or job type. */
export const QUEUE = 'versus-work';
