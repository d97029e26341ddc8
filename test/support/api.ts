// The API for tests: as a value with nothing behind it, or listening in this process on real servers.
// Guarantees: what was started is stopped when it is disposed of.

import { AccessTokens } from '../../src/api/access/access-tokens.ts';
import { Sessions } from '../../src/api/access/sessions.ts';
import { Api } from '../../src/api/api.ts';
import type { AppDependencies } from '../../src/api/app.ts';
import { createApp } from '../../src/api/app.ts';
import { BodyBudget } from '../../src/api/body-budget.ts';
import { useCasesOf } from '../../src/api/use-cases.ts';
import { QueueClient } from '../../src/queue/client.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { eventually } from './eventually.ts';
import { asRole, asUser } from './servers.ts';
import { app, definitions, queueNames } from './shop.ts';

/** Nobody listens there: what reaches it is answered with 503. */
const NOWHERE = '127.0.0.1:1';

/** The real app without servers: whatever is refused before Postgres is asked can be tested with it. */
export function createOfflineApp(
  options: Partial<AppDependencies> = {},
  { amqpUrl = `amqp://${NOWHERE}` } = {},
): ReturnType<typeof createApp> {
  const { events = new Events() } = options;
  const client = new QueueClient({
    app,
    events,
    name: 'offline',
    database: { url: `postgres://${NOWHERE}/none`, min: 0, max: 1 },
    amqpUrl,
    channels: 1,
  });
  const metrics = { render: async () => 'up 1\n', contentType: 'text/plain; version=0.0.4' };
  return createApp({
    events,
    application: { app, services: undefined }, // its routes need none
    ...useCasesOf(client),
    audit: { ...client.audit, begin: async () => async () => {} }, // nobody is there to note it
    metrics,
    definitions,
    queues: queueNames,
    bodies: new BodyBudget(25_165_824),
    tokens: new AccessTokens({}),
    sessions: new Sessions('the secret of the tests'),
    ...options,
  });
}

/** An answer, with its body parsed where it is JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  body: any;
}

export class RunningApi {
  readonly api: Api;
  readonly url: string;

  constructor(api: Api, url: string) {
    this.api = api;
    this.url = url;
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return await toAnswer(await fetch(this.url + path, { headers }));
  }

  post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('POST', path, { body, headers });
  }

  put(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('PUT', path, { body, headers });
  }

  patch(path: string, body: unknown): Promise<Answer> {
    return this.#send('PATCH', path, { body });
  }

  delete(path: string): Promise<Answer> {
    return this.#send('DELETE', path, {});
  }

  async #send(
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer> {
    const json =
      body === undefined
        ? { headers }
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } };
    return await toAnswer(await fetch(this.url + path, { method, ...json }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.stop();
  }
}

export interface StartApiOptions {
  /** Defaults to a server that is away. */
  databaseUrl?: string;
  /** Defaults to a server that is away. */
  amqpUrl?: string;
  /** Defaults to `ready` where there is a broker, else to `serving`. */
  until?: 'listening' | 'serving' | 'ready';
  environment?: Record<string, string>;
  /** Defaults to its own. */
  events?: Events;
}

/** Listens on a free port. `serving`: the schema was seen. `ready`: RabbitMQ is connected, too. */
export async function startApi({
  databaseUrl = `postgres://${NOWHERE}/none`,
  amqpUrl,
  until = amqpUrl === undefined ? 'serving' : 'ready',
  environment = {},
  events = new Events(),
}: StartApiOptions): Promise<RunningApi> {
  const config = readConfig('api', app, {
    DATABASE_URL: asRole(databaseUrl, 'api'),
    AMQP_URL: asUser(amqpUrl ?? `amqp://${NOWHERE}`, 'api'),
    PORT: '0',
    API_DRAIN_MS: '0', // the connections of `fetch` stay open and silent
    ...environment,
  });
  await using stack = new AsyncDisposableStack();
  const api = stack.use(new Api({ config, app, name: `warren-api@test:${process.pid}`, events }));
  const running = new RunningApi(api, await api.listen());
  if (until !== 'listening') await api.start();
  if (until === 'ready')
    await eventually(
      () => running.get('/readyz'),
      ({ body }) => body.status === 'ok',
    );
  stack.move();
  return running;
}

export async function toAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
