/**
 * A job's arguments against the schema of its type, by Standard Schema (https://standardschema.dev): zod, valibot, arktype, or whatever implements it.
 *
 * Guarantees: where the schema answers at once, so does this; only a schema that is asynchronous costs a turn of the event loop. Pure.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import type { InputIssue } from '../base/errors.ts';
import { InvalidInput } from '../base/errors.ts';
import { toInputIssues } from '../base/input-issues.ts';

export type CheckedArguments<Args> = { args: Args } | { issues: InputIssue[] };

interface Checkable<Args> {
  args: StandardSchemaV1<unknown, Args>;
}

/** What the schema makes of the arguments, or what is wrong with them. `pointer` leads to the arguments in what was sent. */
export function checkArguments<Args>(
  { args: schema }: Checkable<Args>,
  args: unknown,
  pointer: string,
): CheckedArguments<Args> | Promise<CheckedArguments<Args>> {
  const result = schema['~standard'].validate(args);
  return result instanceof Promise
    ? result.then((settled) => toChecked(settled, pointer))
    : toChecked(result, pointer);
}

/** What the schema makes of the arguments. Throws `InvalidInput`, or rejects with it where the schema is asynchronous. */
export function parseArguments<Args>(
  definition: Checkable<Args> & { type: string },
  args: unknown,
): Args | Promise<Args> {
  const checked = checkArguments(definition, args, '/args');
  return checked instanceof Promise
    ? checked.then((settled) => unwrap(definition.type, settled))
    : unwrap(definition.type, checked);
}

/** The JSON Schema (draft 2020-12) of what may be enqueued; undefined where the library of the schema offers none. */
export function argumentsJsonSchema({ args }: Checkable<unknown>): Record<string, unknown> | undefined {
  const { jsonSchema } = args['~standard'] as Partial<StandardJSONSchemaV1.Props>;
  try {
    // zod's own option: a date, say, that JSON has no type for, is shown as anything.
    return jsonSchema?.input({ target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } });
  } catch {
    return undefined; // the library has no JSON Schema for this one
  }
}

function toChecked<Args>(result: StandardSchemaV1.Result<Args>, pointer: string): CheckedArguments<Args> {
  if (result.issues !== undefined) return { issues: toInputIssues(result.issues, pointer) };
  return { args: result.value };
}

function unwrap<Args>(type: string, checked: CheckedArguments<Args>): Args {
  if ('args' in checked) return checked.args;
  throw new InvalidInput('invalid_args', `the arguments do not fit job type "${type}"`, checked.issues);
}
