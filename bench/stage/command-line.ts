// The frame of a benchmark command: its options, its stage from start to stop, signals, and one line about what went wrong.
import { parseArgs } from 'node:util';
import { failureMessage, handleStopSignals } from '../../dev/stop-signals.ts';
import type { Stage } from './stage.ts';
import { openStage } from './stage.ts';

export type OptionDefaults = Readonly<Record<string, string>>;

/** `--name value` for each of these, texts all of them. An unknown option ends the command with a line that names the known ones. */
export function readOptions<Defaults extends OptionDefaults>(
  defaults: Defaults,
): Record<keyof Defaults, string> {
  const options = Object.fromEntries(
    Object.keys(defaults).map((name) => [name, { type: 'string' as const }]),
  );
  try {
    const { values } = parseArgs({ options, strict: true, allowPositionals: false });
    return { ...defaults, ...values } as Record<keyof Defaults, string>;
  } catch (error) {
    process.stderr.write(
      `${failureMessage(error)}; there are ${Object.keys(defaults)
        .map((name) => `--${name}`)
        .join(', ')}\n`,
    );
    process.exit(2);
  }
}

/** Whether nothing was chosen: only such a run makes the results that are kept. */
export function areDefaults(options: OptionDefaults, defaults: OptionDefaults): boolean {
  return Object.entries(defaults).every(([name, value]) => options[name] === value);
}

/** Sets exit code 1 where the work throws. Ends the servers and programs in any case; a signal ends them at once. */
export async function runOnStage(
  work: (stage: Stage, log: (line: string) => void) => Promise<void>,
): Promise<void> {
  const log = (line: string) =>
    process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s  ${line}\n`);
  const { received } = handleStopSignals({ stopAtOnce: () => process.exit(1) });
  void received.then(() => process.exit(1)); // the stage's exit hook kills what runs
  try {
    await using stage = await openStage(log);
    await work(stage, log);
  } catch (error) {
    log(failureMessage(error));
    process.exitCode = 1;
  }
}
