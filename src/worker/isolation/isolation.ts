/**
 * Performs the attempts of job types that are isolated, each type in threads or processes of its own: what blocks, leaks or crashes there stays there.
 *
 * Guarantees: an attempt at a time in each isolate; what it is over its time is ended with it; the end of an isolate is the failure of the attempt that it
 * performed and of no other; nothing is started before the first attempt. Never rejects.
 */
import { Misconfigured } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { isIsolated } from '#shared/job/isolation.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { Events } from '#shared/observe/events.ts';
import type { ConnectionPlace } from '#shared/postgres/connection-options.ts';
import type { Perform } from '../perform.ts';
import { isInIsolate } from './inside.ts';
import { Isolate } from './isolate.ts';
import { performIsolated } from './perform-isolated.ts';
import { IsolatePool } from './pool.ts';
import { startProcess } from './process.ts';
import { startThread } from './thread.ts';

/** Where the type says nothing else. */
const DEFAULTS = { concurrency: 4, memoryMb: 512, idleMs: 60_000, niceness: 10 };

export interface IsolationOptions {
  app: App;
  events: Events;
  /** Where its database is. */
  place: ConnectionPlace;
  /** The worker's name; the connections of isolates show as `<name> isolated`. */
  name: string;
  owners: () => readonly string[];
}

export class Isolation {
  readonly #options: IsolationOptions;
  readonly #pools = new Map<string, IsolatePool>();

  /** Throws `Misconfigured` where the application cannot run what it wants isolated, or where this is an isolate itself. */
  constructor(options: IsolationOptions) {
    assertIsolable(options.app);
    this.#options = options;
  }

  readonly perform: Perform = (definition, claim, abort, resources) =>
    performIsolated({
      pool: this.#poolOf(definition),
      owners: this.#options.owners,
      ...{ definition, claim, abort, resources },
      code: 'isolation_failed',
      died: ({ what }, how) => ({
        kind: 'failed',
        message: `isolate_crashed: the ${what} that the attempt ran in has ended (${how})`,
      }),
    });

  /** Ends all isolates. Resolves when they are gone. */
  async stop(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  #poolOf(definition: JobDefinition): IsolatePool {
    const known = this.#pools.get(definition.type);
    if (known !== undefined) return known;
    const { concurrency, idleMs } = limitsOf(definition);
    const pool = new IsolatePool({ max: concurrency, idleMs, start: () => this.#start(definition) });
    this.#pools.set(definition.type, pool);
    return pool;
  }

  #start(definition: JobDefinition): Isolate {
    const { app, events, place, name } = this.#options;
    const { memoryMb, niceness } = limitsOf(definition);
    const carrier =
      definition.isolation === 'thread'
        ? startThread({ events, memoryMb })
        : startProcess({ events, memoryMb });
    const start = { module: app.module ?? '', place, name: `${name} isolated`, memoryMb, niceness };
    return new Isolate(carrier, start, events);
  }
}

function assertIsolable({ module, definitions }: App): void {
  if (isInIsolate())
    throw new Misconfigured(
      'importing the module of the application must start nothing: it has started a worker within a thread or process of a job (docs/isolation.md)',
    );
  const isolated = [...definitions.values()].filter(isIsolated);
  if (module === undefined && isolated.length > 0)
    throw new Misconfigured(
      `job type "${isolated[0]?.type}" is to run in a ${isolated[0]?.isolation} of its own, which imports the module of the application: name it (defineApp({ module: import.meta.url }))`,
    );
}

function limitsOf({ isolationLimits = {} }: JobDefinition) {
  const { concurrency, memoryMb, idleMs, niceness } = isolationLimits;
  return {
    concurrency: concurrency ?? DEFAULTS.concurrency,
    memoryMb: memoryMb ?? DEFAULTS.memoryMb,
    idleMs: idleMs ?? DEFAULTS.idleMs,
    niceness: niceness ?? DEFAULTS.niceness,
  };
}
