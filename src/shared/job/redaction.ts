/**
 * What nobody shall read again: the members of a job's arguments that its type names (`redact`), and their values wherever else they show, as in the
 * answer of a server that quotes the request. Pure; costs nothing for types that name none.
 *
 * A path is names separated by dots, `*` for any name or place in a list, in any case: `headers.*`, `accounts.*.password`. What stands where a path
 * expects more is hidden too. Of a type that is not known nobody knows what to hide: its arguments and output are hidden whole.
 */
import type { AttemptError, JobDefinition } from './job.ts';

export const REDACTED = '[redacted]';
/** Instead of the arguments and the output of an encrypted type. */
export const ENCRYPTED = '[encrypted]';
/** Instead of an object within itself. */
const CIRCULAR = '[circular]';
/** A shorter value is too common a text to be looked for elsewhere. */
const MIN_SOUGHT_CHARACTERS = 6;

/**
 * The types in whose arguments a text may be looked for, each with the paths that are hidden there: who asks again and again whether a text is found
 * learns it as if it were shown.
 */
export type SearchedArguments = Readonly<Record<string, readonly (readonly string[])[]>>;

export function toSearched(definitions: ReadonlyMap<string, JobDefinition>): SearchedArguments {
  const open = [...definitions.values()].filter(({ encrypted }) => encrypted !== true);
  return Object.fromEntries(open.map(({ type, redact = [] }) => [type, redact.map(namesOf)]));
}

interface Readable {
  args: unknown;
  output: unknown;
  errors: AttemptError[];
}

/** As it may be shown, in answers, lists and pages alike. */
export function redactJob<Shown extends Readable>(job: Shown, definition: JobDefinition | undefined): Shown {
  if (definition === undefined) return { ...job, args: hide(job.args), output: hide(job.output) };
  if (definition.encrypted === true)
    return { ...job, args: hide(job.args, ENCRYPTED), output: hide(job.output, ENCRYPTED) };
  if (definition.redact === undefined) return job;
  const { args, values } = redactArguments(job.args, definition.redact);
  return {
    ...job,
    args,
    output: redactValues(job.output, values),
    errors: job.errors.map((error) => ({ ...(redactValues(error, values) as AttemptError), at: error.at })),
  };
}

/** How an attempt has ended, as it may be kept and logged: output, message and origin without the values that the arguments hide. */
export function redactEnding<Ending extends object>(
  ending: Ending,
  args: unknown,
  definition: JobDefinition,
): Ending {
  const redact = pathsOf(definition);
  if (redact === undefined) return ending;
  const { values } = redactArguments(args, redact);
  const redacted = { ...ending };
  if ('output' in redacted && definition.encrypted !== true)
    redacted.output = redactValues(redacted.output, values);
  if ('message' in redacted) redacted.message = redactValues(redacted.message, values);
  if ('origin' in redacted) redacted.origin = redactValues(redacted.origin, values);
  return redacted;
}

/** What a handler says, without the values that the arguments hide. Made once for an attempt, when it says something. */
export function createRedactor(
  args: unknown,
  definition: Pick<JobDefinition, 'redact' | 'encrypted'>,
): <Said>(said: Said) => Said {
  const redact = pathsOf(definition);
  if (redact === undefined) return (said) => said;
  const { values } = redactArguments(args, redact);
  return <Said>(said: Said) => redactValues(said, values) as Said;
}

/** Of an encrypted type all arguments are hidden wherever they are quoted. */
function pathsOf({
  redact,
  encrypted,
}: Pick<JobDefinition, 'redact' | 'encrypted'>): readonly string[] | undefined {
  return encrypted === true ? ['*'] : redact;
}

function redactArguments(args: unknown, paths: readonly string[]): { args: unknown; values: string[] } {
  const values = new Set<string>();
  const redacted = paths.reduce((value, path) => redactPath(value, namesOf(path), values), args);
  return { args: redacted, values: [...values].sort((one, other) => other.length - one.length) };
}

function namesOf(path: string): string[] {
  return path.toLowerCase().split('.');
}

function redactPath(value: unknown, [name, ...rest]: readonly string[], values: Set<string>): unknown {
  if (value === null || value === undefined) return value;
  if (name === undefined || typeof value !== 'object') {
    collect(value, values);
    return REDACTED;
  }
  if (Array.isArray(value))
    return value.map((item, index) =>
      name === '*' || name === String(index) ? redactPath(item, rest, values) : item,
    );
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      name === '*' || name === key.toLowerCase() ? redactPath(item, rest, values) : item,
    ]),
  );
}

/** A value, and the words in it: a server quotes a token without the scheme before it. */
function collect(value: unknown, values: Set<string>): void {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) collect(item, values);
    return;
  }
  const text = String(value);
  if (text === REDACTED) return;
  for (const sought of [text, ...text.split(/[\s,;]+/)])
    if (sought.length >= MIN_SOUGHT_CHARACTERS) values.add(sought);
}

/** `within`: the objects that the value is in. */
function redactValues(value: unknown, values: readonly string[], within: readonly object[] = []): unknown {
  if (values.length === 0) return value;
  if (typeof value === 'string') return redactText(value, values);
  if (typeof value === 'number' || typeof value === 'bigint')
    return values.includes(String(value)) ? REDACTED : value;
  if (typeof value !== 'object' || value === null) return value;
  if (within.includes(value)) return CIRCULAR; // a handler may log anything
  const path = [...within, value];
  if (Array.isArray(value)) return value.map((item) => redactValues(item, values, path));
  if ('toJSON' in value) return redactValues(JSON.parse(JSON.stringify(value)), values); // a date, say
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, redactValues(item, values, path)]),
  );
}

function redactText(text: string, values: readonly string[]): string {
  return values.reduce((redacted, value) => redacted.replaceAll(value, REDACTED), text);
}

function hide(value: unknown, by = REDACTED): unknown {
  return value === null || value === undefined ? value : by;
}
