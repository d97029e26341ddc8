// Turns signals into one orderly stop, and a later second one into an immediate one.
// A terminal sends Ctrl-C to the whole process group and npm forwards it once more: repeats within a second are the same wish.

const sameWishMs = 1_000;
const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export type StopSignals = {
  /** Aborted by the first signal. */
  readonly stopping: AbortSignal;
  /** Resolves with the first signal. */
  readonly received: Promise<NodeJS.Signals>;
};

/** For the entry points of dev/ alone: it takes over the signals of the process for good. */
export function handleStopSignals({ stopAtOnce }: { stopAtOnce: () => void }): StopSignals {
  const controller = new AbortController();
  const { promise: received, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      controller.abort(new Interrupted(signal));
      resolve(signal);
    } else if (performance.now() - firstAt > sameWishMs) {
      stopAtOnce();
    }
  };
  for (const signal of stopSignals) process.on(signal, onSignal);
  // A reader that went away (`npm start | head`) is a wish to stop as well, and no reason to die with servers running.
  const onReaderGone = () => {
    if (firstAt === undefined) onSignal('SIGTERM');
  };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onReaderGone);
  return { stopping: controller.signal, received };
}

/** The start was called off by a signal: not a failure. */
export class Interrupted extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.name = 'Interrupted';
  }
}

/** Sources abort with various errors around the reason; what counts is who called it off. */
export function isInterruption(stopping: AbortSignal): boolean {
  return stopping.aborted && stopping.reason instanceof Interrupted;
}

/** The message of what went wrong first, also when stopping failed on top of it. */
export function failureMessage(error: unknown): string {
  if (error instanceof SuppressedError) return failureMessage(error.suppressed);
  return error instanceof Error ? error.message : String(error);
}

/** What a command that starts things is given: when to stop, and where to put what a second signal has to kill. */
export type Stopping = StopSignals & { readonly killers: (() => void)[] };

/** The whole of such a command: runs it until it ends or a signal comes, and says what became of it. Exit code 1 where it failed. */
export async function runUntilStopped(run: (stopping: Stopping) => Promise<void>): Promise<void> {
  const killers: (() => void)[] = [];
  const signals = handleStopSignals({
    stopAtOnce: () => {
      for (const kill of killers) kill();
      process.exit(1);
    },
  });
  try {
    await run({ ...signals, killers });
  } catch (error) {
    if (!isInterruption(signals.stopping)) {
      process.stderr.write(`${failureMessage(error)}\n`);
      process.exitCode = 1;
      return;
    }
  }
  process.stdout.write('Everything that this started is stopped.\n');
}
