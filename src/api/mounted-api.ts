/**
 * The API for an application that has an HTTP server of its own: a Hono app to be mounted there, on the application's client and without a socket.
 *
 * Guarantees: without tokens it answers only requests that come from this machine, unless the application says that it decides itself who may come;
 * until the schema was seen, and the services are there that the application's own routes are given, it answers 503 to everything but health checks.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import type { QueueClient } from '#queue/client.ts';
import { resolvedWithin } from '#shared/base/backoff.ts';
import { isLoopback } from '#shared/base/loopback.ts';
import { problemResponse } from '#shared/http/problem-response.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Metrics } from '#shared/observe/metrics/metrics.ts';
import { createMetrics } from '#shared/observe/metrics/metrics.ts';
import type { AccessToken } from './access/access-tokens.ts';
import { AccessTokens } from './access/access-tokens.ts';
import { Sessions } from './access/sessions.ts';
import { createApp, createStartingApp } from './app.ts';
import { BodyBudget, bodyGauges } from './body-budget.ts';
import { answerErrors } from './problem.ts';
import { useCasesOf } from './use-cases.ts';

/** What a request waits for services that are being made, in milliseconds. */
const SERVICES_WAIT_MS = 1_000;

export interface HttpOptions {
  /** A bearer token that may do everything. Defaults to none. */
  apiToken?: string | undefined;
  /** Further bearer tokens, each by the SHA-256 of its text in lower-case hex. Defaults to none. */
  tokens?: readonly AccessToken[] | undefined;
  /** The `Host` headers that are answered beside those of this machine. Defaults to all with a token, to none without. */
  hosts?: readonly string[] | undefined;
  /** Without a token, answer requests from other machines too: the application decides before it who may come. Defaults to false. */
  isOpen?: boolean | undefined;
  /** Who the audit and the log name where no token is asked for. Defaults to `anybody`. */
  actor?: string | undefined;
}

export interface MountedApi {
  app: Hono;
  /** Nobody asks any more. */
  stop(): void;
}

export interface MountedApiOptions {
  app: App;
  client: QueueClient;
  events: Events;
  /** What signs the cookies of people who have signed in: the same in every process of a fleet. */
  secret: string;
  /** What request bodies may hold in memory at once. */
  bodyBytes: number;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate: string | undefined;
  phase: () => 'starting' | 'serving' | 'stopping';
  /** Resolves with what the application's own routes are given. Called where it has some. */
  openServices: () => Promise<unknown>;
  access: HttpOptions;
}

export function createMountedApi(options: MountedApiOptions): MountedApi {
  const { app, client, events, access } = options;
  const bodies = new BodyBudget(options.bodyBytes);
  const metrics: Metrics = createMetrics({
    events,
    types: app.definitions.keys(),
    queues: [...app.queues.keys()],
    gauges: [...client.gauges, ...bodyGauges(bodies)],
  });
  const tokens = new AccessTokens({
    apiToken: access.apiToken,
    listed: access.tokens,
    actor: access.actor,
  });
  const isLocalOnly = tokens.isOpen && access.isOpen !== true;
  const hosts = access.hosts !== undefined || isLocalOnly ? new Set(access.hosts) : undefined;
  const check = () => client.check();

  let serving: OpenAPIHono | undefined;
  const phase = () => (serving === undefined && options.phase() === 'serving' ? 'starting' : options.phase());
  const serve = (services: unknown) => {
    serving = createApp({
      events,
      ...useCasesOf(client),
      metrics,
      definitions: app.definitions,
      traceUrlTemplate: options.traceUrlTemplate,
      queues: [...app.queues.keys()],
      bodies,
      tokens,
      sessions: new Sessions(options.secret),
      hosts,
      phase,
      application: { app, services },
    });
  };
  let opened = Promise.resolve();
  if (app.routes === undefined) serve(undefined);
  else opened = options.openServices().then(serve);
  opened.catch(() => {}); // each request is told, below

  const starting = createStartingApp({ events, check, phase });
  const mounted = new Hono();
  mounted.onError(answerErrors(events));
  if (isLocalOnly) mounted.use(refuseOtherMachines);
  mounted.all('*', async (c) => {
    if (serving === undefined && options.phase() === 'serving')
      await resolvedWithin(opened, SERVICES_WAIT_MS);
    const current = phase() === 'starting' ? starting : (serving ?? starting);
    return await current.fetch(c.req.raw, (c.env ?? {}) as object);
  });
  return { app: mounted, stop: () => metrics.stop() };
}

/** What a proxy on this machine hands on comes from elsewhere, and so may what comes by no socket that can be seen. */
const refuseOtherMachines: MiddlewareHandler = async (c, next) => {
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  const address = incoming?.socket?.remoteAddress?.replace(/^::ffff:/, '');
  const isForwarded = ['forwarded', 'x-forwarded-for', 'x-real-ip'].some(
    (name) => c.req.header(name) !== undefined,
  );
  if (address !== undefined && isLoopback(address) && !isForwarded) return await next();
  return problemResponse(403, {
    detail: 'without a token only this machine is answered: warren.http() takes apiToken, tokens or isOpen',
    code: 'not_local',
  });
};
