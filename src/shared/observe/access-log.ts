/**
 * The lines of who did what, and of who was refused.
 */

import type { EventMessages, Events } from './events.ts';
import type { LogTarget } from './log-target.ts';

const SELDOM_MS = 10_000;

/** Each function ends a subscription. */
export function logAccess(events: Events, log: LogTarget): (() => void)[] {
  return [
    events.subscribe('access.acted', (message) => log.info(message, 'somebody acted')),
    events.subscribe('audit.failed', (message) => log.error(message, 'how an act went was not noted')),
    events.subscribe('access.refused', logRefused(log)),
    events.subscribe('access.tokens-read', (message) => log.info(message, 'the list of tokens is in force')),
    events.subscribe('access.tokens-refused', (message) =>
      log.error(message, 'the list of tokens is wrong; the last good one stays'),
    ),
  ];
}

/** One line for many: whoever tries tokens shall not fill the log. */
function logRefused(log: LogTarget): (message: EventMessages['access.refused']) => void {
  let count = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;
  return (message) => {
    count += 1;
    if (performance.now() - loggedAt < SELDOM_MS) return;
    log.warn({ ...message, count }, 'a request was refused');
    loggedAt = performance.now();
    count = 0;
  };
}
