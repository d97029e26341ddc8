/**
 * The services of an application in one process, with the Postgres client that they are made with, from their making to their end.
 *
 * Guarantees: nothing is opened before `open`, no connection before the first statement; making and disposing end within their deadlines; only what
 * was made here is disposed of, since a value that the application brought may be used elsewhere.
 */
import { backoffMs, sleep, withDeadline } from '../base/backoff.ts';
import { Misconfigured, Unavailable } from '../base/errors.ts';
import type { App, AppResources } from '../job/app.ts';
import type { Events } from '../observe/events.ts';
import type { HandlerClient, HandlerClientOptions } from './handler-client.ts';
import { createHandlerClient } from './handler-client.ts';
import { TransactionClients } from './transaction-clients.ts';

const MAKE_MS = 60_000;
const DISPOSE_MS = 3_000;
const RETRY = { firstMs: 1_000, maxMs: 30_000 };

export interface ApplicationServicesOptions extends HandlerClientOptions {
  events: Events;
}

export class ApplicationServices {
  readonly sql: HandlerClient;
  /** For the transactions of jobs: as many connections again, of which each is opened when it is needed. */
  readonly transactions: TransactionClients;
  readonly #app: App;
  readonly #events: Events;
  readonly #databaseUrl: string;
  #made: Promise<unknown> | undefined;
  #services: unknown;

  constructor(app: App, { events, ...options }: ApplicationServicesOptions) {
    this.#app = app;
    this.#events = events;
    this.#databaseUrl = options.url;
    this.sql = createHandlerClient(options);
    this.transactions = new TransactionClients(options);
  }

  /** Throws what the application throws, or `Misconfigured` where it does not come to an end. Once it has succeeded, it does nothing. */
  async open(): Promise<void> {
    const { name, services } = this.#app;
    if (typeof services !== 'function') {
      this.#services = services;
      return;
    }
    this.#made ??= this.#make(services as (resources: AppResources) => unknown);
    this.#services = await withDeadline(
      this.#made,
      MAKE_MS,
      () => new Misconfigured(`the services of application "${name}" were not there after ${MAKE_MS} ms`),
    );
  }

  /** Opens them, again and again where that fails, and resolves with them. Throws `Unavailable` when the signal aborts before. */
  async openAtLast(stopping: AbortSignal): Promise<unknown> {
    for (let retry = 1; !stopping.aborted; retry += 1) {
      try {
        await this.open();
        return this.#services;
      } catch (error) {
        this.#events.publish('services.failed', { when: 'made', error });
      }
      await sleep(backoffMs(retry, RETRY), stopping);
    }
    throw new Unavailable(
      'stopping',
      'the services of the application were not made: Warren is being stopped',
    );
  }

  /** Undefined before `open` has resolved. */
  get services(): unknown {
    return this.#services;
  }

  /** Never rejects: what the application throws now is logged. */
  async close(): Promise<void> {
    try {
      if (this.#made !== undefined) await withDeadline(dispose(this.#made), DISPOSE_MS, notEnded);
    } catch (error) {
      this.#events.publish('services.failed', { when: 'disposed', error });
    }
    await Promise.all([this.sql.end({ timeout: 2 }), this.transactions.close()]);
  }

  /** What fails is forgotten: the next call makes them anew. */
  #make(make: (resources: AppResources) => unknown): Promise<unknown> {
    const made = new Promise((resolve) => resolve(make({ databaseUrl: this.#databaseUrl, sql: this.sql })));
    made.catch(() => {
      this.#made = undefined;
    });
    return made;
  }
}

async function dispose(made: Promise<unknown>): Promise<void> {
  const services: Partial<AsyncDisposable & Disposable> = Object(await made);
  const end = services[Symbol.asyncDispose] ?? services[Symbol.dispose];
  await end?.call(services);
}

function notEnded(): Error {
  return new Error(`they have not ended after ${DISPOSE_MS} ms`);
}
