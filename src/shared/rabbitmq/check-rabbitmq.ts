/**
 * Whether RabbitMQ is there and takes messages, in the words of /readyz.
 */
import type { Check } from '../base/health-check.ts';
import type { BrokerConnection } from './connection.ts';

export function checkRabbitmq({
  isConfigured,
  model,
  blocked,
  lostForMs,
}: Pick<BrokerConnection, 'isConfigured' | 'model' | 'blocked' | 'lostForMs'>): Check {
  if (!isConfigured) return { ok: true, detail: 'none is configured' };
  if (model === undefined) return { ok: false, detail: `no connection${tellTime(lostForMs)}` };
  if (blocked) return { ok: false, detail: 'it has a resource alarm and takes no messages' };
  return { ok: true };
}

/** Infinite where there never was one to be. */
function tellTime(ms: number): string {
  return Number.isFinite(ms) ? ` for ${Math.round(ms / 1_000)} s` : '';
}
