/**
 * The worker's own small HTTP server for probes and scrapes: /livez, /readyz, /metrics.
 *
 * `degraded`, with 200: something is away and the work goes on without it. `unavailable`, with 503: no job can start here.
 */
import { Hono } from 'hono';
import type { Check } from '#shared/base/health-check.ts';
import { HttpServer } from '#shared/http/http-server.ts';
import type { Metrics } from '#shared/observe/metrics/metrics.ts';

/** Where a worker stands now. */
export interface Standing {
  lane: 'rabbitmq' | 'postgres';
  /** Whether it holds the advisory lock by which others know that it lives. */
  isPresent: boolean;
  /** Whether it does the maintenance of the fleet. */
  isLeader: boolean;
  consumers: { registered: number; wanted: number };
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
    const status = toStatus(results);
    return context.json({ status, checks: results }, status === 'unavailable' ? 503 : 200);
  });
  app.get('/metrics', async (context) =>
    context.body(await metrics.render(), 200, { 'content-type': metrics.contentType }),
  );
  return app;
}

/** What no job can start without. */
const NEEDED = ['postgres', 'presence', 'accepting'];

/** While jobs are taken straight from Postgres (`lane` is not ok), neither RabbitMQ nor the consumers are needed. */
function toStatus(checks: Record<string, Check>): 'ok' | 'degraded' | 'unavailable' {
  const failing = Object.keys(checks).filter((name) => checks[name]?.ok === false);
  if (failing.length === 0) return 'ok';
  const goesOn = failing.includes('lane') && !failing.some((name) => NEEDED.includes(name));
  return goesOn ? 'degraded' : 'unavailable';
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
