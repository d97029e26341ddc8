/**
 * Liveness, readiness and metrics.
 *
 * Without RabbitMQ the API is degraded and ready: what it takes is committed and published later. Without Postgres, before its schema was
 * seen to be current, and while it stops, it is not ready.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { QueueClient } from '#queue/client.ts';
import { livezRoute, metricsRoute, readyzRoute } from '../contract/health.ts';

export interface HealthDependencies {
  /** The two servers. Never rejects. */
  check: QueueClient['check'];
  /** What else keeps the process from being ready. Defaults to nothing. */
  phase?: (() => 'starting' | 'serving' | 'stopping') | undefined;
}

export function registerHealth(
  app: OpenAPIHono,
  { check, phase = () => 'serving' }: HealthDependencies,
): void {
  app.openapi(livezRoute, (c) => c.json({ status: 'ok' as const }, 200));

  app.openapi(readyzRoute, async (c) => {
    const checks = await check();
    if (checks.postgres.ok && phase() === 'starting')
      checks.postgres = { ok: false, detail: 'its schema was not looked at yet' };
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
