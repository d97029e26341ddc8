/**
 * Liveness, readiness and metrics.
 *
 * Without RabbitMQ the API is degraded and ready: what it takes is committed and published later. Without Postgres, before its schema was
 * seen to be current, and while it stops, it is not ready.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Database } from '#shared/postgres/database.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { livezRoute, metricsRoute, readyzRoute } from '../contract/health.ts';

const CHECK_DEADLINE_MS = 1_000;

interface Check {
  ok: boolean;
  detail?: string;
}

export interface HealthDependencies {
  database: Database;
  publisher: Publisher;
  /** What else keeps the process from being ready. Defaults to nothing. */
  phase?: (() => 'starting' | 'serving' | 'stopping') | undefined;
}

export function registerHealth(
  app: OpenAPIHono,
  { database, publisher, phase = () => 'serving' }: HealthDependencies,
): void {
  app.openapi(livezRoute, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(readyzRoute, async (c) => {
    const checks = {
      postgres: await checkPostgres(database, phase() === 'starting'),
      rabbitmq: checkRabbitmq(publisher),
    };
    if (phase() === 'stopping') return c.json({ status: 'stopping' as const, checks }, 503);
    if (!checks.postgres.ok) return c.json({ status: 'unavailable' as const, checks }, 503);
    return c.json({ status: checks.rabbitmq.ok ? ('ok' as const) : ('degraded' as const), checks }, 200);
  });
}

export interface MetricsDependencies {
  metrics: { render(): Promise<string>; contentType: string };
}

export function registerMetrics(app: OpenAPIHono, { metrics }: MetricsDependencies): void {
  app.openapi(metricsRoute, async (c) => {
    return c.text(await metrics.render(), 200, { 'content-type': metrics.contentType });
  });
}

async function checkPostgres(database: Database, isSchemaUnseen: boolean): Promise<Check> {
  try {
    await database.query((sql) => sql`select 1`, CHECK_DEADLINE_MS);
    return isSchemaUnseen ? { ok: false, detail: 'its schema was not looked at yet' } : { ok: true };
  } catch {
    return { ok: false, detail: `no answer within ${CHECK_DEADLINE_MS} ms` };
  }
}

function checkRabbitmq({ connection }: Publisher): Check {
  if (!connection.isConfigured) return { ok: true, detail: 'none is configured' };
  if (connection.model === undefined) return { ok: false, detail: 'no connection' };
  if (connection.blocked) return { ok: false, detail: 'it has a resource alarm and takes no messages' };
  return { ok: true };
}
