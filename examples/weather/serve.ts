/**
 * How the programs of the weather listen and stop.
 */
import { serve } from '@hono/node-server';
import type { Registry } from '@prometheus-io/client';
import type { Hono } from 'hono';
import { listenAt } from './settings.ts';

export interface Served {
  app: Hono;
  registry: Registry;
  isReady: () => boolean | Promise<boolean>;
  /** After the last request: closes what the program has open. */
  stop: () => Promise<void>;
}

/** Listens on `PORT` of `HOST` until SIGTERM or SIGINT; `/livez`, `/readyz` and `/metrics` too. */
export function serveUntilStopped({ app, registry, isReady, stop }: Served): void {
  app.get('/livez', (c) => c.text('ok'));
  app.get('/readyz', async (c) => ((await isReady()) ? c.text('ok') : c.text('not ready', 503)));
  app.get('/metrics', async (c) =>
    c.text(await registry.metrics(), 200, { 'content-type': registry.contentType }),
  );
  const server = serve({ fetch: app.fetch, ...listenAt() });
  const end = () => {
    server.close(() => void stop());
    if ('closeIdleConnections' in server) server.closeIdleConnections();
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}
