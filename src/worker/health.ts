/**
 * The worker's own small HTTP server for probes and scrapes: /livez, /readyz, /metrics.
 */
import { Hono } from 'hono';
import { HttpServer } from '#shared/http/http-server.ts';
import type { Metrics } from '#shared/metrics/metrics.ts';

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

/** Listens, under the same limits as the API. Rejects with `Misconfigured` where the port is taken. */
export async function serveHealth(
  options: HealthOptions,
): Promise<{ port: number; close: () => Promise<void> }> {
  const { host, port } = options;
  const server = new HttpServer({ fetch: createHealthApp(options).fetch, host, port });
  const url = new URL(await server.start());
  return { port: Number(url.port || '80'), close: () => server.stop() };
}
