/**
 * JSON lines on stdout, and the lines that events are worth. Nothing on the path of a job logs by itself.
 */

import type { Logger } from 'pino';
import pino from 'pino';
import { errorOrigin } from '../base/error-origin.ts';
import { errorMessage } from '../base/errors.ts';
import type { LogLevel } from '../base/log-levels.ts';
import { logAccess } from './access-log.ts';
import { logConnections } from './connection-log.ts';
import type { EventMessages, Events } from './events.ts';
import type { LogOutput } from './log-output.ts';
import type { LogTarget } from './log-target.ts';
import { activeSpanIds, findTracer } from './tracing.ts';
import { logUnavailable } from './unavailable-log.ts';

export type { Logger };

export interface LoggerOptions {
  name: string;
  level: LogLevel;
  output: LogOutput;
}

export function createLogger({ name, level, output }: LoggerOptions): Logger {
  const options = { name, level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime };
  return pino(findTracer() === undefined ? options : { ...options, mixin: activeSpanIds }, output);
}

/** Logs what happens from now on. Returns a function that ends it. */
export function logEvents(events: Events, log: LogTarget): () => void {
  const subscriptions = [
    ...logConnections(events, log),
    ...logJobs(events, log),
    ...logAccess(events, log),
    logUnavailable(events, log),
    logHandlers(events, log),
    logServices(events, log),
    events.subscribe('worker.renewing', (message) =>
      log.info(message, 'the worker renews itself: it drains and exits, to be started anew'),
    ),
    logDropped(events, log),
  ];
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe();
  };
}

/** What handlers say by `context.log`. */
function logHandlers(events: Events, log: LogTarget): () => void {
  return events.subscribe('handler.logged', ({ level, message, origin, ...fields }) =>
    log[level]({ ...fields, ...origin }, message),
  );
}

function logServices(events: Events, log: LogTarget): () => void {
  return events.subscribe('services.failed', ({ when, error }) =>
    log.error(
      { error: errorMessage(error), ...errorOrigin(error) },
      when === 'made'
        ? 'the services of the application could not be made, trying again'
        : 'the services of the application could not be disposed of',
    ),
  );
}

function logDropped(events: Events, log: LogTarget): () => void {
  return events.subscribe('log.recovered', (message) =>
    log.warn(message, 'log lines were dropped: they could not be written'),
  );
}

function logJobs(events: Events, log: LogTarget): (() => void)[] {
  return [
    events.subscribe('attempt.finished', ({ retryInMs, origin, ...message }) => {
      if (retryInMs === undefined) log.debug(message, 'attempt finished');
      else
        log.warn(
          { ...message, ...origin, retryAt: inMs(retryInMs) },
          'attempt failed, the job is tried again',
        );
    }),
    events.subscribe('job.ended', ({ origin, ...message }) => {
      if (message.state === 'discarded')
        log.error({ ...message, ...origin }, 'job discarded: it is not tried again');
      else log.debug(message, 'job ended');
    }),
    events.subscribe('attempt.fenced', (message) =>
      log.warn(message, 'an outcome was refused: the attempt had lost its claim'),
    ),
    events.subscribe('attempt.abandoned', (message) => {
      log.error(
        message,
        message.running ? 'a handler ignores its abort signal' : 'an abandoned handler has ended',
      );
    }),
    events.subscribe('claims.restored', (message) =>
      log.warn(message, 'Postgres had crashed: claims that it has undone were made again'),
    ),
    // Not as "name": that is the member for the program that writes the line.
    events.subscribe('owner.taken-over', ({ name: worker, ...message }) =>
      log.warn({ ...message, worker }, 'jobs of a dead worker were taken over'),
    ),
    events.subscribe('owner.rescued', ({ name: worker, ...message }) =>
      log.warn({ ...message, worker }, 'jobs of a dead worker were given back'),
    ),
    events.subscribe('type.unserved', ({ unserved, ...message }) => {
      if (unserved) log.warn(message, 'jobs wait for a worker that knows their type');
      else log.info(message, 'no job waits any more for a worker that knows its type');
    }),
    events.subscribe('type.differs', (message) =>
      log.warn(message, 'another application defines a job type of this name differently'),
    ),
    events.subscribe('schedule.ticked', (message) => {
      if (message.outcome === 'missed') log.warn(message, 'a tick of a schedule was missed');
      else log.debug(message, 'a schedule ticked');
    }),
    events.subscribe('schedule.removed', (message) =>
      log.info(message, 'a schedule was removed: it is gone from the code'),
    ),
    events.subscribe('delivery.suppressed', (message) => log.debug(message, 'a delivery started nothing')),
    events.subscribe('delivery.dead-lettered', (message) =>
      log.error(message, 'a delivery was dead-lettered'),
    ),
    events.subscribe('publish.returned', (message) => log.error(message, 'RabbitMQ has no queue for a job')),
    events.subscribe('publish.failed', logFailedPublishes(log)),
    ...logRetriedWrites(events, log),
    events.subscribe('request.failed', ({ error, ...message }) => {
      log.error(
        { ...message, error: error instanceof Error ? error.stack : errorMessage(error) },
        'a request failed',
      );
    }),
    events.subscribe('maintenance.done', (message) => log.debug(message, 'maintenance')),
    events.subscribe('maintenance.failed', ({ task, failures = 1, error }) => {
      const fields = { task, error: errorMessage(error) };
      if (failures === 1) log.warn(fields, 'maintenance failed, trying again');
      else log.debug(fields, 'maintenance failed again');
    }),
    events.subscribe('maintenance.recovered', (message) => log.info(message, 'maintenance goes on')),
  ];
}

/** RFC 3339. */
function inMs(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}

const SELDOM_MS = 10_000;

/** One line for many, of each kind: when Postgres is away, all that is under way is tried again. */
function logRetriedWrites(events: Events, log: LogTarget): (() => void)[] {
  const byKind = new Map<string, { count: number; loggedAt: number }>();
  return [
    events.subscribe('write.retried', ({ what, retry, error }) => {
      const kind = byKind.get(what) ?? { count: 0, loggedAt: Number.NEGATIVE_INFINITY };
      byKind.set(what, kind);
      kind.count += 1;
      if (performance.now() - kind.loggedAt < SELDOM_MS) return;
      log.warn({ what, retry, count: kind.count, error: errorMessage(error) }, 'writes are tried again');
      kind.count = 0;
      kind.loggedAt = performance.now();
    }),
  ];
}

/** One line for many: an outage fails every publish. */
function logFailedPublishes(log: LogTarget): (message: EventMessages['publish.failed']) => void {
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
