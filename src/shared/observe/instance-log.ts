/**
 * The log of an instance that lives in the process of an application: none, JSON lines on a stream, or the application's own logger.
 *
 * Guarantees: it has the lines of this instance's events and no others; after `close` there are none any more, and nothing of it keeps the process. What
 * the application's logger throws hurts nobody.
 */
import type { Writable } from 'node:stream';
import { errorMessage, Misconfigured } from '../base/errors.ts';
import type { LogLevel } from '../base/log-levels.ts';
import { logLevels } from '../base/log-levels.ts';
import type { Events } from './events.ts';
import { createLogger, logEvents } from './log.ts';
import { LogOutput } from './log-output.ts';
import type { LogTarget } from './log-target.ts';

export type LogOption = boolean | LogLevel | LogTarget;

export interface InstanceLogOptions {
  events: Events;
  /** Stands in every line. */
  name: string;
  /** Of `true`. */
  level: LogLevel;
  /** Where lines go that no target of the application takes. */
  stream: Writable;
}

export interface InstanceLog {
  /** For a line that no event is worth. */
  warn(message: string): void;
  close(): Promise<void>;
}

/** What the last lines may take at a slow reader, in milliseconds. */
const FLUSH_MS = 1_000;
const METHODS = ['debug', 'info', 'warn', 'error'] as const;

/** Logs from now on. Throws `Misconfigured` where the option is none. */
export function openInstanceLog(
  option: LogOption,
  { events, name, level, stream }: InstanceLogOptions,
): InstanceLog {
  if (option === false || option === 'silent') return { warn: () => {}, close: async () => {} };
  assertOption(option);
  if (typeof option === 'object') return openTarget(withoutThrows(option), events);
  const output = new LogOutput(stream, events);
  const log = openTarget(createLogger({ name, level: option === true ? level : option, output }), events);
  return {
    warn: log.warn,
    close: async () => {
      await log.close();
      await output.flushed(FLUSH_MS);
    },
  };
}

function openTarget(target: LogTarget, events: Events): InstanceLog {
  const end = logEvents(events, target);
  return { warn: (message) => target.warn({}, message), close: async () => end() };
}

/** Lines come from everywhere, some from timers, where what is thrown would end the process. Node warns of it once. */
function withoutThrows(logger: LogTarget): LogTarget {
  let hasThrown = false;
  const guard = (method: (typeof METHODS)[number]) => (fields: object, message: string) => {
    try {
      logger[method](fields, message);
    } catch (error) {
      if (!hasThrown)
        process.emitWarning(`the logger of the application throws: ${errorMessage(error)}`, 'WarrenWarning');
      hasThrown = true;
    }
  };
  return { debug: guard('debug'), info: guard('info'), warn: guard('warn'), error: guard('error') };
}

/** Who writes JavaScript is not told by the compiler. */
function assertOption(option: LogOption): void {
  if (option === true || logLevels.some((level) => level === option)) return;
  const target: Partial<LogTarget> = Object(option);
  if (METHODS.every((method) => typeof target[method] === 'function')) return;
  throw new Misconfigured(
    `log is true, false, one of ${logLevels.join(', ')}, or a logger with the methods ${METHODS.join(', ')}`,
  );
}
