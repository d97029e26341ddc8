/**
 * The services of an application in one process, with the Postgres client that they are made with, from their making to their end.
 *
 * Guarantees: nothing is opened before `open`, no connection before the first statement; making and disposing end within their deadlines; only what
 * was made here is disposed of, since a value that the application brought may be used elsewhere.
 */
import { withDeadline } from '../base/backoff.ts';
import { Misconfigured } from '../base/errors.ts';
import type { App, AppResources } from '../job/app.ts';
import type { Events } from '../observe/events.ts';
import type { HandlerClient, HandlerClientOptions } from './handler-client.ts';
import { createHandlerClient } from './handler-client.ts';

const MAKE_MS = 60_000;
const DISPOSE_MS = 3_000;

export interface ApplicationServicesOptions extends HandlerClientOptions {
  events: Events;
}

export class ApplicationServices {
  readonly sql: HandlerClient;
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
  }

  /** Throws what the application throws, or `Misconfigured` where it does not come to an end. */
  async open(): Promise<void> {
    const { name, services } = this.#app;
    if (typeof services !== 'function') {
      this.#services = services;
      return;
    }
    const make: (resources: AppResources) => unknown = services as (resources: AppResources) => unknown;
    this.#made ??= Promise.resolve(make({ databaseUrl: this.#databaseUrl, sql: this.sql }));
    this.#services = await withDeadline(
      this.#made,
      MAKE_MS,
      () => new Misconfigured(`the services of application "${name}" were not there after ${MAKE_MS} ms`),
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
      this.#events.publish('services.failed', { error });
    }
    await this.sql.end({ timeout: 2 });
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
