/**
 * Liveness, readiness and metrics.
 *
 * Without RabbitMQ the API is degraded and ready: what it takes is committed and published later. Without Postgres, before its schema was
 * seen to be current, and while it stops, it is not ready.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Check } from '#shared/base/health-check.ts';
import { checkPostgres } from '#shared/postgres/check-postgres.ts';
import type { Database } from '#shared/postgres/database.ts';
import { checkRabbitmq } from '#shared/rabbitmq/check-rabbitmq.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { livezRoute, metricsRoute, readyzRoute } from '../contract/health.ts';

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
      postgres: await checkDatabase(database, phase() === 'starting'),
      rabbitmq: checkRabbitmq(publisher.connection),
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

async function checkDatabase(database: Database, isSchemaUnseen: boolean): Promise<Check> {
  const check = await checkPostgres(database);
  return check.ok && isSchemaUnseen ? { ok: false, detail: 'its schema was not looked at yet' } : check;
}
