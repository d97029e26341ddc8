// The options of a command, declared once: they are read, checked, and explained by `--help`.
// Guarantees: `--help` prints what the command does and every option, and exits 0; an option that does not exist, or has no value, ends it with
// one line that points to `--help` and exit code 2. Both before anything else is done.
import { parseArgs } from 'node:util';

export type Flag = {
  /** What stands for the value in the help; a switch without one. */
  readonly value?: string;
  readonly default?: string;
  /** As it reads after the option's name in the help. */
  readonly meaning: string;
};

type Values<Flags extends Readonly<Record<string, Flag>>> = {
  readonly [Name in keyof Flags]: Flags[Name] extends { readonly value: string }
    ? Flags[Name] extends { readonly default: string }
      ? string
      : string | undefined
    : boolean;
};

export type Command<Flags> = {
  /** How a person calls it: `npm run services`. */
  readonly name: string;
  /** One sentence or two: what it does. */
  readonly about: string;
  readonly flags: Flags;
};

export function readCommandLine<const Flags extends Readonly<Record<string, Flag>>>(
  command: Command<Flags>,
  args: readonly string[] = process.argv.slice(2),
): Values<Flags> {
  const result = parseFlags(command.flags, args);
  if (result instanceof Error) {
    // Only the first sentence of parseArgs: the rest explains how an argument may begin with a dash.
    const [problem = ''] = result.message.split(/\.\s/);
    process.stderr.write(`${problem}; \`${withOptions(command.name)} --help\` names the options\n`);
    process.exit(2);
  }
  if (result['help'] !== true) return result as Values<Flags>;
  process.stdout.write(`${helpText(command)}\n`);
  process.exit(0);
}

export function helpText({ name, about, flags }: Command<Readonly<Record<string, Flag>>>): string {
  const rows = Object.entries({ ...flags, help: { meaning: 'prints this' } }).map(([flag, details]) => {
    const { value, default: preset, meaning }: Flag = details;
    const title = `--${flag}${value === undefined ? '' : ` ${value}`}`;
    return {
      title,
      text: preset === undefined || preset === '' ? meaning : `${meaning} (default ${preset})`,
    };
  });
  const width = Math.max(...rows.map(({ title }) => title.length));
  const list = rows.map(({ title, text }) => `  ${title.padEnd(width)}  ${text}`);
  return [`${withOptions(name)} [options]`, '', about, '', ...list].join('\n');
}

/** npm keeps what stands before `--` for itself. */
function withOptions(name: string): string {
  return name.startsWith('npm ') ? `${name} --` : name;
}

/** Every flag by its name, defaults included, `help` among them; an error that names what is wrong with the arguments. */
export function parseFlags(
  flags: Readonly<Record<string, Flag>>,
  args: readonly string[],
): Readonly<Record<string, string | boolean | undefined>> | Error {
  const options = Object.entries({ ...flags, help: { meaning: '' } }).map(
    ([name, { value, ...flag }]: [string, Flag]) => {
      if (value === undefined) return [name, { type: 'boolean', default: false }] as const;
      return [
        name,
        { type: 'string', ...(flag.default === undefined ? {} : { default: flag.default }) },
      ] as const;
    },
  );
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(options), strict: true })
      .values as Readonly<Record<string, string | boolean | undefined>>;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
