/**
 * Runs a program from its start to its exit: signals, exit codes, the last line of defence against what nobody caught.
 *
 * SIGTERM, SIGINT or SIGHUP stops it cleanly (exit 0), and so does the program itself when it is done; a second signal stops it at once (exit 1); a setting
 * or a schema that cannot work ends it with one readable line (exit 1). An outage never ends it.
 */
import { aborted } from '../base/backoff.ts';
import { errorMessage, Misconfigured } from '../base/errors.ts';
import { Events } from '../observe/events.ts';
import type { Logger } from '../observe/log.ts';
import { LogOutput } from '../observe/log-output.ts';
import { flushSpans } from '../observe/tracing.ts';
import { isWriteAfterClose } from './write-after-close.ts';

export interface Program {
  /** Resolves when it works; rejects with `Misconfigured` where it never will. Must end early when the signal aborts. */
  start: (stopping: AbortSignal) => Promise<void>;
  /** Rejects with `Misconfigured` should that become known later. */
  failed: Promise<never>;
  /** Resolves when it is to stop by itself, as at a signal. Defaults to never. */
  done?: Promise<void>;
  stop: () => Promise<void>;
}

interface Created {
  program: Program;
  log: Logger;
  /** Where the log goes. */
  output: LogOutput;
}

/** What the last lines of the log may take at a slow reader, and the last spans, in milliseconds. */
const FLUSH_MS = 1_000;
/** npm hands on the SIGINT that the terminal has sent to everybody: the same signal twice, within so many milliseconds. */
const SAME_SIGNAL_MS = 500;

/**
 * For a program that is started by itself. Arguments are refused: whoever gives a command after the name of an image whose program it is, such as the
 * migration, would get this program instead. `help` is what `--help` prints.
 */
export async function runWithoutArguments(help: string, run: () => Promise<void>): Promise<void> {
  const given = process.argv.slice(2);
  if (given.includes('--help')) process.stdout.write(`${help}\n`);
  else if (given.length === 0) await run();
  else
    exitMisconfigured(
      new Misconfigured(`this program takes no arguments, but was given: ${given.join(' ')}`),
    );
}

/** Never returns: the process exits. `create` loads the application, reads the settings and opens nothing. */
export async function runProgram(create: () => Promise<Created>): Promise<void> {
  let created: Created;
  try {
    created = await create();
  } catch (error) {
    return exitMisconfigured(error);
  }
  const { program, log, output } = created;
  process.on('unhandledRejection', (reason) =>
    log.error({ error: describe(reason) }, 'a promise was rejected and nothing handled it'),
  );
  process.on('uncaughtException', (error) => {
    if (isWriteAfterClose(error))
      log.warn({ error: describe(error) }, 'a transaction has lost its connection to Postgres');
    else void exitFailed(created, error);
  });
  const signal = stopSignal(log);
  try {
    const stopped = aborted(signal); // `start` may wait for a server that is away
    await Promise.race([program.start(signal), program.failed, stopped]);
    await Promise.race([stopped, program.failed, ...(program.done === undefined ? [] : [program.done])]);
  } catch (error) {
    if (!signal.aborted) return await exitFailed(created, error);
  }
  log.info('stopping');
  await program.stop();
  await flushSpans(FLUSH_MS);
  log.info('stopped');
  await output.flushed(FLUSH_MS);
  process.exit(0);
}

/** Aborts at the first signal; the second one, when it is another, exits. */
function stopSignal(log: Logger): AbortSignal {
  const stopping = new AbortController();
  let [first, firstAt] = ['', 0];
  const onSignal = (signal: string) => {
    if (!stopping.signal.aborted) {
      [first, firstAt] = [signal, performance.now()];
      log.info({ signal }, 'signal received');
      stopping.abort();
    } else if (signal !== 'SIGINT' || first !== signal || performance.now() - firstAt > SAME_SIGNAL_MS) {
      log.warn({ signal }, 'second signal: stopping at once');
      process.exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  return stopping.signal;
}

/** There is a log by now, and whoever reads it expects JSON lines alone. */
async function exitFailed({ log, output }: Created, error: unknown): Promise<void> {
  if (error instanceof Misconfigured) log.fatal(error.message);
  else log.fatal({ error: describe(error) }, 'the program cannot go on');
  await output.flushed(FLUSH_MS);
  process.exit(1);
}

function exitMisconfigured(error: unknown): void {
  const line = error instanceof Misconfigured ? error.message : describe(error);
  new LogOutput(process.stderr, new Events()).write(`${line.replaceAll('\n', ' ')}\n`);
  process.exit(1);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : errorMessage(error);
}
