// Whether arguments fit a job type's schema, for tests of one job type.
import { checkArguments } from '../../src/shared/job/arguments.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';

export async function fits<Args, Input>(
  definition: JobDefinition<Args, Input>,
  args: unknown,
): Promise<boolean> {
  return 'args' in (await checkArguments(definition, args, ''));
}
