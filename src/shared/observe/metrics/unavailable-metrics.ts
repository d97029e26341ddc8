/**
 * HTTP requests that end in a 503, by the code of their problem.
 */
import type { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

const CODES = [
  'starting',
  'schema_missing',
  'postgres_unavailable',
  'postgres_timeout',
  'postgres_busy',
  'postgres_stopped',
  'batch_full',
  'bodies_full',
  'broker_unavailable',
  'job_busy',
  'stopping',
  'unique_key_busy',
  'watchers_full',
];

export function countUnavailable(registry: Registry, events: Events): () => void {
  const unavailable = createCounter(registry, {
    name: 'warren_http_unavailable_total',
    help: 'HTTP requests that ended in a 503, by the code of their problem.',
    label: { name: 'code', values: CODES },
  });
  return events.subscribe('request.unavailable', ({ code }) => unavailable.inc({ code }));
}
