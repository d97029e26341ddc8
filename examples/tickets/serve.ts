/**
 * How the programs of the counter listen, and stop.
 */
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { listenAt } from './settings.ts';

/** Listens on `PORT` of `HOST` until SIGTERM or SIGINT. */
export function serveUntilStopped(app: Hono): void {
  const server = serve({ fetch: app.fetch, ...listenAt() });
  const stop = () => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections(); // pages that watch never end by themselves
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
