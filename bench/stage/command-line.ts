// The frame of a benchmark command: its options, its stage from start to stop, signals, and one line about what went wrong.
import type { Flag } from '../../dev/command-line.ts';
import { readCommandLine } from '../../dev/command-line.ts';
import { failureMessage, handleStopSignals } from '../../dev/stop-signals.ts';
import type { Stage } from './stage.ts';
import { openStage } from './stage.ts';

export type OptionDefaults = Readonly<Record<string, string>>;

/** `--name value` for each of these, texts all of them; `--help` explains them. */
export function readOptions<Defaults extends OptionDefaults>(command: {
  name: string;
  about: string;
  defaults: Defaults;
  meanings: Readonly<Record<keyof Defaults, string>>;
}): Readonly<Record<keyof Defaults, string>> {
  const { name, about, defaults, meanings } = command;
  const flags = Object.fromEntries(
    Object.entries(defaults).map(([flag, preset]) => {
      const details: Flag = { value: 'VALUE', default: preset, meaning: meanings[flag] ?? '' };
      return [flag, details];
    }),
  );
  return { ...defaults, ...readCommandLine({ name, about, flags }) } as Record<keyof Defaults, string>;
}

/** Whether nothing was chosen: only such a run makes the results that are kept. */
export function areDefaults(options: OptionDefaults, defaults: OptionDefaults): boolean {
  return Object.entries(defaults).every(([name, value]) => options[name] === value);
}

/** Sets exit code 1 where the work throws. Ends the servers and programs in any case; a signal ends them at once. `name`: of the stage. */
export async function runOnStage(
  name: string,
  work: (stage: Stage, log: (line: string) => void) => Promise<void>,
): Promise<void> {
  const log = (line: string) =>
    process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s  ${line}\n`);
  const { received } = handleStopSignals({ stopAtOnce: () => process.exit(1) });
  void received.then(() => process.exit(1)); // the stage's exit hook kills what runs
  try {
    await using stage = await openStage({ name, log });
    await work(stage, log);
  } catch (error) {
    log(failureMessage(error));
    process.exitCode = 1;
  }
}
