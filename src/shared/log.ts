/**
 * JSON lines on stdout, and the lines that the events of a process are worth. Nothing on the path of a job logs by itself.
 */

import type { Logger } from 'pino';
import pino from 'pino';
import { errorMessage } from './errors.ts';
import type { EventMessages } from './events.ts';
import { subscribe } from './events.ts';

export type { Logger };

export function createLogger({ name, level }: { name: string; level: string }): Logger {
  return pino({ name, level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime });
}

/** Logs what happens from now on. Returns a function that ends it. */
export function logEvents(log: Logger): () => void {
  const subscriptions = [...logConnections(log), ...logJobs(log)];
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe();
  };
}

function logConnections(log: Logger): (() => void)[] {
  return [
    subscribe('broker.connected', ({ connection, reconnect }) =>
      log.info({ connection, reconnect }, 'RabbitMQ connected'),
    ),
    subscribe('broker.disconnected', ({ connection, error }) => {
      log.warn({ connection, error: errorMessage(error) }, 'RabbitMQ is away, connecting again');
    }),
    subscribe('broker.blocked', ({ connection, blocked, reason }) => {
      log.warn(
        { connection, reason },
        blocked ? 'RabbitMQ blocks publishing' : 'RabbitMQ takes messages again',
      );
    }),
    subscribe('consumer.ready', (message) => log.debug(message, 'consumer registered')),
    subscribe('consumer.lost', (message) => log.warn(message, 'consumer lost, registering again')),
    subscribe('presence.held', (message) => log.info(message, 'presence held')),
    subscribe('presence.lost', ({ error }) =>
      log.warn({ error: errorMessage(error) }, 'presence lost, connecting again'),
    ),
  ];
}

function logJobs(log: Logger): (() => void)[] {
  return [
    subscribe('attempt.finished', (message) => {
      if (message.error === undefined) log.debug(message, 'attempt finished');
      else log.warn(message, 'attempt failed');
    }),
    subscribe('attempt.fenced', (message) =>
      log.warn(message, 'an outcome was refused: the attempt had lost its claim'),
    ),
    subscribe('attempt.abandoned', (message) => {
      log.error(
        message,
        message.running ? 'a handler ignores its abort signal' : 'an abandoned handler has ended',
      );
    }),
    subscribe('delivery.suppressed', (message) => log.debug(message, 'a delivery started nothing')),
    subscribe('delivery.dead-lettered', (message) => log.error(message, 'a delivery was dead-lettered')),
    subscribe('publish.returned', (message) => log.error(message, 'RabbitMQ has no queue for a job')),
    subscribe('publish.failed', logFailedPublishes(log)),
    subscribe('write.retried', ({ what, retry, error }) => {
      if (retry === 1 || retry % 10 === 0)
        log.warn({ what, retry, error: errorMessage(error) }, 'a write is tried again');
    }),
    subscribe('request.failed', ({ error, ...message }) => {
      log.error(
        { ...message, error: error instanceof Error ? error.stack : errorMessage(error) },
        'a request failed',
      );
    }),
    subscribe('request.unavailable', ({ code, error }) =>
      log.debug({ code, error: errorMessage(error) }, 'a request was answered with 503'),
    ),
    subscribe('maintenance.done', (message) => log.debug(message, 'maintenance')),
    subscribe('maintenance.failed', ({ task, error }) => {
      log.warn({ task, error: errorMessage(error) }, 'maintenance failed, trying again');
    }),
  ];
}

const SELDOM_MS = 10_000;

/** One line for many: an outage fails every publish. */
function logFailedPublishes(log: Logger): (message: EventMessages['publish.failed']) => void {
  let count = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;
  return ({ jobId, error }) => {
    count += 1;
    if (performance.now() - loggedAt < SELDOM_MS) return;
    log.warn({ jobId, count, error: errorMessage(error) }, 'not published, the relay repeats it');
    loggedAt = performance.now();
    count = 0;
  };
}
