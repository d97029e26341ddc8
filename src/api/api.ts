/**
 * The API process: its queue client and its server, from start to stop.
 *
 * It listens at once and for as long as it lives, whatever is away. Until the schema was seen it answers 503 to everything but health checks;
 * without Postgres it answers 503, without RabbitMQ it serves and the relay publishes. Knows nothing of signals and exit codes.
 */

import type { OpenAPIHono } from '@hono/zod-openapi';
import { QueueClient } from '#queue/client.ts';
import { HttpServer } from '#shared/http/http-server.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Metrics } from '#shared/observe/metrics/metrics.ts';
import { createMetrics } from '#shared/observe/metrics/metrics.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import type { Config } from '#shared/settings/config.ts';
import { AccessTokens } from './access/access-tokens.ts';
import { Sessions } from './access/sessions.ts';
import { TokenFile } from './access/token-file.ts';
import type { AppDependencies } from './app.ts';
import { createApp, createStartingApp } from './app.ts';
import { BodyBudget, bodyGauges } from './body-budget.ts';
import type { GrpcServer } from './grpc/grpc-server.ts';
import { createGrpcServer } from './grpc/load.ts';
import { useCasesOf } from './use-cases.ts';

/** 503 is owed within 2 s when Postgres is away. */
const STATEMENT_DEADLINE_MS = 1_500;

export interface ApiOptions {
  config: Config;
  app: App;
  /** Told of what happens in it. */
  events: Events;
  /** The name of its connections. */
  name: string;
}

export class Api {
  readonly #app: App;
  readonly #client: QueueClient;
  readonly #services: ApplicationServices;
  readonly #dependencies: AppDependencies;
  readonly #metrics: Metrics;
  readonly #server: HttpServer;
  readonly #tokenFile: TokenFile | undefined;
  readonly #config: Config;
  #grpc: GrpcServer | undefined;
  #grpcAddress: string | undefined;
  readonly #stopping = new AbortController();
  #listening: Promise<string> | undefined;
  /** Undefined until the schema was seen and the application's services are there. */
  #serving: OpenAPIHono | undefined;
  #stopped: Promise<void> | undefined;

  /** Opens nothing. */
  constructor({ config, name, app, events }: ApiOptions) {
    const { databaseUrl: url, amqpUrl, poolMin: min, poolMax: max, host, port } = config;
    const queues = [...app.queues.keys()];
    const client = new QueueClient({
      app,
      events,
      name,
      database: {
        url,
        isPooled: config.databaseDirectUrl !== undefined,
        min,
        max,
        deadlineMs: STATEMENT_DEADLINE_MS,
      },
      amqpUrl,
      queueType: config.queueType,
      channels: config.publisherChannels,
      encryption: config.encryption,
      workerQueues: config.workerQueues,
      maxWatchers: config.eventWatchersMax,
    });
    const bodies = new BodyBudget(config.apiBodyBytes);
    const metrics = createMetrics({
      events,
      types: app.definitions.keys(),
      queues,
      gauges: [...client.gauges, ...bodyGauges(bodies)],
    });
    const { apiToken, tokensFile } = config;
    const tokens = new AccessTokens({ apiToken, listed: tokensFile === undefined ? undefined : [] });
    this.#dependencies = {
      events,
      ...useCasesOf(client),
      metrics,
      definitions: app.definitions,
      traceUrlTemplate: config.traceUrlTemplate,
      queues,
      bodies,
      tokens,
      sessions: new Sessions(config.databaseUrl), // what every API process of a fleet has, and nobody else
      hosts: config.apiHosts,
      phase: () => this.#phase(),
    };
    const starting = createStartingApp(this.#dependencies);
    this.#server = new HttpServer({
      fetch: (request, env) => (this.#serving ?? starting).fetch(request, env),
      host,
      port,
      drainMs: config.apiDrainMs,
    });
    this.#tokenFile = tokensFile === undefined ? undefined : new TokenFile(tokensFile, { tokens, events });
    this.#app = app;
    this.#config = config;
    this.#services = new ApplicationServices(app, {
      url,
      isPooled: config.databaseDirectUrl !== undefined,
      name: `${name} routes`,
      max: config.jobsPoolMax,
      events,
    });
    this.#client = client;
    this.#metrics = metrics;
  }

  /** Rejects with `Misconfigured` where the broker can never serve this process. */
  get failed(): Promise<never> {
    return this.#client.failed;
  }

  /** Resolves with the URL when it listens. Throws `Misconfigured` where the port is taken or the list of tokens is wrong. */
  listen(): Promise<string> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  /** Where the gRPC server listens, as `host:port`. Undefined where there is none. */
  get grpcAddress(): string | undefined {
    return this.#grpcAddress;
  }

  /** Resolves when it serves: Postgres is there and its schema is current. Throws `Misconfigured` where the schema is older. */
  async start(): Promise<{ url: string }> {
    const url = await this.listen();
    await this.#client.enter(this.#stopping.signal);
    if (this.#stopping.signal.aborted) return { url };
    const app = this.#app;
    if (app.routes !== undefined) await this.#services.open();
    this.#serving = createApp({
      ...this.#dependencies,
      application: { app, services: this.#services.services },
    });
    return { url };
  }

  /** Not ready any more; then the server drains and closes; then what the requests used. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #listen(): Promise<string> {
    await this.#tokenFile?.start();
    this.#grpc = await this.#createGrpc();
    this.#client.start();
    const url = await this.#server.start();
    this.#grpcAddress = await this.#grpc?.start();
    return url;
  }

  async #createGrpc(): Promise<GrpcServer | undefined> {
    const { host, grpcPort: port, apiDrainMs: drainMs } = this.#config;
    if (port === undefined) return undefined;
    const { watcher } = this.#client;
    const phase = () => this.#phase();
    return await createGrpcServer({ ...this.#dependencies, watcher, phase, host, port, drainMs });
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#client.endWaits();
    await Promise.all([this.#server.stop(), this.#grpc?.stop()]);
    await this.#tokenFile?.stop();
    await this.#client.stop();
    await this.#services.close();
    this.#metrics.stop();
  }

  #phase(): 'starting' | 'serving' | 'stopping' {
    if (this.#stopping.signal.aborted) return 'stopping';
    return this.#serving === undefined ? 'starting' : 'serving';
  }
}
