/**
 * New arguments for all jobs that an act on many matches: checked once, before there is anything to be done.
 *
 * Guarantees: the filter names one job type, whose schema they fit; a type that works out a job's place (unique key, group, ordering key, limits) from the
 * arguments is refused, for each of its jobs would have the same place then. Pure.
 */
import { Conflict, InvalidInput } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { checkArguments } from '#shared/job/arguments.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { JobFilter } from '#shared/job/job-filter.ts';
import { MAX_MERGED_BYTES } from '#shared/postgres/statements/unique-holder.ts';
import { writeArguments } from '../new-job.ts';
import { refuseBulkType } from './bulk-input.ts';

const POINTER = '/set/args';

export interface ManyArguments {
  args: unknown;
  filter: JobFilter;
  app: Pick<App, 'definitions'>;
  encryption: Encryption;
}

/** As JSON, encrypted where the type is. Throws `InvalidInput`; `Conflict` where the arguments decide the place of a job. */
export async function toManyArguments({ args, filter, app, encryption }: ManyArguments): Promise<string> {
  const definition = findDefinition(filter, app);
  const { type } = definition;
  refuseBulkType(type);
  for (const member of ['unique', 'group', 'orderingKey', 'limits'] as const)
    if (definition[member] !== undefined)
      throw new Conflict(
        'args_decide_place',
        `the arguments of jobs of the type "${type}" decide their place (${member}): change them one by one`,
      );
  const checked = await checkArguments(definition, args, POINTER);
  if ('issues' in checked)
    throw new InvalidInput('invalid_args', `the arguments do not fit job type "${type}"`, checked.issues);
  if (Buffer.byteLength(JSON.stringify(checked.args) ?? 'null') > MAX_MERGED_BYTES)
    throw new InvalidInput('args_too_large', `the arguments have more than ${MAX_MERGED_BYTES} bytes`, [
      { detail: `must have at most ${MAX_MERGED_BYTES} bytes`, pointer: POINTER },
    ]);
  return writeArguments(definition, checked.args, encryption) ?? 'null';
}

function findDefinition(
  { type: asked }: JobFilter,
  { definitions }: Pick<App, 'definitions'>,
): JobDefinition {
  const [type, ...others] = [asked ?? []].flat();
  if (type === undefined || others.length > 0) {
    const issues = [{ detail: 'must be one job type where arguments are set', pointer: '/filter/type' }];
    throw new InvalidInput(
      'one_type',
      'arguments are checked by the schema of one job type: name it',
      issues,
    );
  }
  const definition = definitions.get(type);
  if (definition !== undefined) return definition;
  throw new InvalidInput(
    'unknown_type',
    `the application has no job type "${type}", so that nobody can check the arguments`,
  );
}
