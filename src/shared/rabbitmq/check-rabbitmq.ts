/**
 * Whether RabbitMQ is there and takes messages, in the words of /readyz.
 */
import type { Check } from '../base/health-check.ts';
import type { BrokerConnection } from './connection.ts';

export function checkRabbitmq({
  isConfigured,
  model,
  blocked,
}: Pick<BrokerConnection, 'isConfigured' | 'model' | 'blocked'>): Check {
  if (!isConfigured) return { ok: true, detail: 'none is configured' };
  if (model === undefined) return { ok: false, detail: 'no connection' };
  if (blocked) return { ok: false, detail: 'it has a resource alarm and takes no messages' };
  return { ok: true };
}
