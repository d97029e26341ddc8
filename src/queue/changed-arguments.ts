/**
 * New arguments of a job that exists: checked as those of a new one.
 *
 * Guarantees: they fit the schema of the job's type and the bounds of a job; a job whose type works out its place (unique key, group, ordering key, limits)
 * from the arguments keeps one that is right, for arguments that would give it another place are refused. Pure.
 */
import { Conflict, InvalidInput } from '#shared/base/errors.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import { noEncryption } from '#shared/job/encryption.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import { MAX_MERGED_BYTES } from '#shared/postgres/statements/unique-holder.ts';
import { refuseBulkType } from './bulk/bulk-input.ts';
import { writeArguments } from './new-job.ts';

/** As JSON. Throws `InvalidInput`; `Conflict` where they would give the job another place. */
export async function toChangedArguments(
  job: Job,
  args: unknown,
  definition: JobDefinition | undefined,
  encryption: Encryption = noEncryption,
): Promise<string> {
  if (definition === undefined)
    throw new InvalidInput(
      'unknown_type',
      `the application has no job type "${job.type}", so that nobody can check the arguments`,
    );
  refuseBulkType(job.type);
  const parsed = await parseArguments(definition, args);
  const json = JSON.stringify(parsed) ?? 'null';
  if (Buffer.byteLength(json) > MAX_MERGED_BYTES)
    throw new InvalidInput('args_too_large', `the arguments have more than ${MAX_MERGED_BYTES} bytes`, [
      { detail: `must have at most ${MAX_MERGED_BYTES} bytes`, pointer: '/args' },
    ]);
  const isEncrypted = definition.encrypted === true;
  const old = isEncrypted ? encryption.open(job.args, { type: job.type, part: 'args' }) : job.args;
  assertSamePlace({ ...job, args: old }, parsed, definition);
  return writeArguments(definition, parsed, encryption) ?? 'null';
}

/** What a job has that its type works out from the arguments. What its enqueue named by itself does not follow from them. */
function assertSamePlace(job: Job, args: unknown, definition: JobDefinition): void {
  const places: [string, unknown, ((args: unknown) => unknown) | undefined][] = [
    ['unique key', job.uniqueKey, (some) => definition.unique?.(some)?.key],
    ['group', job.group, definition.group],
    ['ordering key', job.orderingKey, definition.orderingKey],
    ['limits', job.limits, definition.limits],
  ];
  for (const [name, current, workOut] of places) {
    if (workOut === undefined) continue;
    const before = write(attempt(workOut, job.args));
    if (before === undefined || before !== write(current) || before === write(workOut(args))) continue;
    throw new Conflict(
      'args_decide_place',
      `with these arguments job ${job.id} would have another ${name}: cancel it and enqueue another one`,
    );
  }
}

/** Arguments of an earlier version may be such as the type's functions do not know. */
function attempt(workOut: (args: unknown) => unknown, args: unknown): unknown {
  try {
    return workOut(args);
  } catch {
    return undefined;
  }
}

function write(value: unknown): string | undefined {
  return JSON.stringify(value);
}
