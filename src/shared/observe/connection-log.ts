/**
 * The log lines about the servers behind a process: one for each change of state, however many connections, consumers and retries take part in it.
 * What repeats itself is left to the debug level and to the metrics.
 */
import { errorMessage } from '../base/errors.ts';
import type { Events } from './events.ts';
import type { LogTarget } from './log-target.ts';

/** The consumers of a connection are lost in the same moment: they are told of together, so long after the first, in milliseconds. */
const TOGETHER_MS = 250;

/** Returns functions that end the subscriptions. */
export function logConnections(events: Events, log: LogTarget): (() => void)[] {
  return [
    ...logBroker(events, log),
    ...logConsumers(events, log),
    ...logLane(events, log),
    ...logPresence(events, log),
  ];
}

function logBroker(events: Events, log: LogTarget): (() => void)[] {
  let awaySince: number | undefined;
  return [
    events.subscribe('broker.connected', ({ connection, reconnect }) => {
      if (awaySince !== undefined) {
        const awayMs = Math.round(performance.now() - awaySince);
        log.info({ connection, awayMs }, 'RabbitMQ is back');
      } else if (reconnect) log.debug({ connection }, 'another connection to RabbitMQ is back');
      else log.info({ connection }, 'RabbitMQ connected');
      awaySince = undefined;
    }),
    events.subscribe('broker.disconnected', ({ connection, retries, error }) => {
      const fields = { connection, retries, error: errorMessage(error) };
      if (retries > 0 || awaySince !== undefined) {
        log.debug(fields, 'RabbitMQ is still away');
        return;
      }
      awaySince = performance.now();
      log.warn(fields, 'RabbitMQ is away, connecting again');
    }),
    events.subscribe('broker.blocked', ({ connection, blocked, reason }) => {
      if (blocked) log.warn({ connection, reason }, 'RabbitMQ has a resource alarm and takes no messages');
      else log.info({ connection }, 'RabbitMQ takes messages again');
    }),
  ];
}

/** Says how many consumers were lost together, and when the last of them is back. */
function logConsumers(events: Events, log: LogTarget): (() => void)[] {
  /** The queues of the consumers that are lost now, by tag. */
  const lost = new Map<string, string>();
  let together: { count: number; queues: Set<string>; reason: string; timer: NodeJS.Timeout } | undefined;
  const tell = () => {
    if (together === undefined) return;
    const { count, queues, reason } = together;
    together = undefined;
    log.warn({ count, queues: [...queues], reason }, 'consumers lost, registering again');
    tellRecovery();
  };
  const tellRecovery = () => {
    if (lost.size === 0 && together === undefined) log.info({}, 'every consumer is registered again');
  };
  return [
    events.subscribe('consumer.lost', (message) => {
      const { tag, queue, reason } = message;
      log.debug(message, 'consumer lost');
      if (lost.has(tag)) return; // told already: it could not register
      if (lost.size === 0 && together === undefined) {
        together = { count: 0, queues: new Set(), reason, timer: setTimeout(tell, TOGETHER_MS) };
      }
      lost.set(tag, queue);
      if (together === undefined) return;
      together.count += 1;
      together.queues.add(queue);
    }),
    events.subscribe('consumer.ready', (message) => {
      log.debug(message, 'consumer registered');
      if (lost.delete(message.tag)) tellRecovery();
    }),
    () => clearTimeout(together?.timer),
  ];
}

function logLane(events: Events, log: LogTarget): (() => void)[] {
  return [
    events.subscribe('lane.changed', ({ lane }) => {
      if (lane === 'rabbitmq')
        log.info({ lane }, 'jobs come from RabbitMQ again: the fallback lane is closed');
      else log.warn({ lane }, 'jobs are taken straight from Postgres: the fallback lane is active');
    }),
  ];
}

function logPresence(events: Events, log: LogTarget): (() => void)[] {
  let lostSince: number | undefined;
  return [
    events.subscribe('presence.held', ({ owner }) => {
      if (lostSince === undefined) log.info({ owner }, 'presence held');
      else log.info({ owner, lostMs: Math.round(performance.now() - lostSince) }, 'presence held again');
      lostSince = undefined;
    }),
    events.subscribe('presence.lost', ({ error }) => {
      const fields = { error: errorMessage(error) };
      if (lostSince !== undefined) log.debug(fields, 'presence is still lost');
      else log.warn(fields, 'presence lost: nothing is claimed until it is held again');
      lostSince ??= performance.now();
    }),
  ];
}
