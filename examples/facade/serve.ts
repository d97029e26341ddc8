/**
 * How a service begins, listens and stops.
 */
import { once } from 'node:events';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { listenAt } from './settings.ts';

export interface Service {
  app: Hono;
  /** Before it listens. */
  start(): Promise<unknown>;
  /** After its last answer. */
  stop(): Promise<unknown>;
}

/** Listens on `PORT` of `HOST` until SIGTERM or SIGINT. A service that cannot start ends with what it says. */
export function serveUntilStopped(service: Service): void {
  run(service).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
}

async function run({ app, start, stop }: Service): Promise<void> {
  const stopping = Promise.withResolvers<void>();
  process.once('SIGTERM', () => stopping.resolve());
  process.once('SIGINT', () => stopping.resolve());
  await start();
  app.get('/readyz', (c) => c.text('ready'));
  const server = serve({ fetch: app.fetch, ...listenAt() });
  await Promise.race([stopping.promise, once(server, 'error').then(([error]) => Promise.reject(error))]);
  const closed = once(server, 'close');
  server.close();
  await closed;
  await stop();
}
