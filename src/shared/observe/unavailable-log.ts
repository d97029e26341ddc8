/**
 * What the log says of requests that end in a 503: one line when they begin, by code, and one when they are over. An outage at a thousand requests a
 * second is two lines. Each request stays a detail at level debug.
 */
import { errorMessage } from '../base/errors.ts';
import type { Events } from './events.ts';
import type { LogTarget } from './log-target.ts';

/** Requests of one code that end in a 503, from the first after a quiet time on. */
interface Spell {
  count: number;
  sinceMs: number;
  lastMs: number;
  over: NodeJS.Timeout;
}

const QUIET_MS = 10_000;

/** Logs from now on. `quietMs`: without another 503 of the code for so long it is over, defaults to 10 000. Returns a function that ends it. */
export function logUnavailable(events: Events, log: LogTarget, { quietMs = QUIET_MS } = {}): () => void {
  const spells = new Map<string, Spell>();

  const finish = (code: string, { count, sinceMs, lastMs }: Spell) => {
    spells.delete(code);
    const seconds = Math.round((lastMs - sinceMs) / 1_000);
    log.info({ code, count, seconds }, 'requests are no longer answered with 503');
  };

  const unsubscribe = events.subscribe('request.unavailable', ({ code, error, ...trace }) => {
    log.debug({ ...trace, code, error: errorMessage(error) }, 'a request was answered with 503');
    const now = performance.now();
    const spell = spells.get(code);
    if (spell !== undefined) {
      spell.count += 1;
      spell.lastMs = now;
      spell.over.refresh();
      return;
    }
    log.warn({ code, error: errorMessage(error) }, 'requests are answered with 503');
    const begun: Spell = {
      count: 1,
      sinceMs: now,
      lastMs: now,
      over: setTimeout(() => finish(code, begun), quietMs),
    };
    spells.set(code, begun);
  });

  return () => {
    unsubscribe();
    for (const { over } of spells.values()) clearTimeout(over);
  };
}
