/**
 * The worker's own small HTTP server for probes and scrapes: /livez, /readyz, /metrics.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { errorMessage, Misconfigured } from '#shared/errors.ts';
import type { Metrics } from '#shared/metrics.ts';

/** `ok` false fails readiness; `detail` says why. */
export interface Check {
  ok: boolean;
  detail?: string;
}

export interface HealthOptions {
  host: string;
  /** 0: any free port. */
  port: number;
  metrics: Metrics;
  /** False: the process has to be started anew. */
  alive: () => boolean;
  /** Names every dependency. */
  checks: () => Promise<Record<string, Check>>;
}

/** /livez never looks at a dependency: restarting a worker does not bring its database back. */
export function createHealthApp({
  metrics,
  alive,
  checks,
}: Pick<HealthOptions, 'metrics' | 'alive' | 'checks'>): Hono {
  const app = new Hono();
  app.get('/livez', (context) => {
    return alive() ? context.json({ status: 'ok' }) : context.json({ status: 'stuck' }, 500);
  });
  app.get('/readyz', async (context) => {
    const results = await checks();
    const ready = Object.values(results).every(({ ok }) => ok);
    return context.json({ status: ready ? 'ok' : 'unavailable', checks: results }, ready ? 200 : 503);
  });
  app.get('/metrics', async (context) =>
    context.body(await metrics.render(), 200, { 'content-type': metrics.contentType }),
  );
  return app;
}

/** Listens. Rejects where the port is taken. */
export async function serveHealth(
  options: HealthOptions,
): Promise<{ port: number; close: () => Promise<void> }> {
  const server = serve({ fetch: createHealthApp(options).fetch, hostname: options.host, port: options.port });
  await once(server, 'listening').catch((error: unknown) => {
    throw new Misconfigured(
      `the health server cannot listen on ${options.host}:${options.port}: ${errorMessage(error)}`,
    );
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
    },
  };
}
