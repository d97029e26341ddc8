/**
 * Lines of the log that were lost. The log itself cannot tell of them.
 */
import type { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

export function countDroppedLines(registry: Registry, events: Events): () => void {
  const dropped = createCounter(registry, {
    name: 'warren_log_lines_dropped_total',
    help: 'Lines of the log that were dropped: the output was full, stuck or gone.',
  });
  return events.subscribe('log.dropped', ({ lines }) => dropped.inc(lines));
}
