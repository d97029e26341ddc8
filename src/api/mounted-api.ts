/**
 * The API for an application that has an HTTP server of its own: a Hono app to be mounted there, on the application's client and without a socket.
 *
 * Guarantees: without tokens it answers only requests that come from this machine, unless the application says that it decides itself who may come;
 * until the schema was seen it answers 503 to everything but health checks.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import type { QueueClient } from '#queue/client.ts';
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

export interface HttpOptions {
  /** A bearer token that may do everything. Defaults to none. */
  apiToken?: string | undefined;
  /** Further bearer tokens, each by the SHA-256 of its text in lower-case hex. Defaults to none. */
  tokens?: readonly AccessToken[] | undefined;
  /** The `Host` headers that are answered beside those of this machine. Defaults to all with a token, to none without. */
  hosts?: readonly string[] | undefined;
  /** Without a token, answer requests from other machines too: the application decides before it who may come. Defaults to false. */
  isOpen?: boolean | undefined;
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
  phase: () => 'starting' | 'serving' | 'stopping';
  access: HttpOptions;
}

export function createMountedApi({
  app,
  client,
  events,
  secret,
  bodyBytes,
  phase,
  access,
}: MountedApiOptions): MountedApi {
  const { apiToken, tokens: listed, hosts, isOpen = false } = access;
  const queues = [...app.queues.keys()];
  const bodies = new BodyBudget(bodyBytes);
  const metrics: Metrics = createMetrics({
    events,
    types: app.definitions.keys(),
    queues,
    gauges: [...client.gauges, ...bodyGauges(bodies)],
  });
  const tokens = new AccessTokens({ apiToken, listed });
  const isLocalOnly = tokens.isOpen && !isOpen;
  const check = () => client.check();
  const starting = createStartingApp({ events, check, phase });
  const serving = createApp({
    events,
    database: client.database,
    enqueuer: client.enqueuer,
    control: client.control,
    browser: client.browser,
    check,
    metrics,
    definitions: app.definitions,
    queues,
    bodies,
    tokens,
    sessions: new Sessions(secret),
    hosts: hosts !== undefined || isLocalOnly ? new Set(hosts) : undefined,
    phase,
  });
  const mounted = new Hono();
  if (isLocalOnly) mounted.use(refuseOtherMachines);
  const current = (): OpenAPIHono => (phase() === 'starting' ? starting : serving);
  mounted.all('*', (c) => current().fetch(c.req.raw, (c.env ?? {}) as object));
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
