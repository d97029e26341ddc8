/**
 * Checks every job of a batch, so that a client hears of all that is wrong at once, with pointers into its request. Pure.
 */
import type { InputIssue } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { NewJobBody } from './contract/job.ts';

/** Unknown types and queues, and arguments that do not fit them, at most `MAX_ISSUES`. In slices. */
export async function findBatchIssues(
  jobs: readonly NewJobBody[],
  { definitions, queues }: { definitions: ReadonlyMap<string, JobDefinition>; queues: readonly string[] },
): Promise<InputIssue[]> {
  const issues: InputIssue[] = [];
  await mapInSlices(jobs, ({ type, args, queue }, index) => {
    if (issues.length >= MAX_ISSUES) return;
    const pointer = `/jobs/${index}`;
    const definition = definitions.get(type);
    if (definition === undefined) {
      issues.push({ detail: 'no such job type is registered', pointer: `${pointer}/type` });
      return;
    }
    if (queue !== undefined && !queues.includes(queue))
      issues.push({ detail: `there are ${queues.join(', ')}`, pointer: `${pointer}/queue` });
    const parsed = definition.args.safeParse(args);
    if (!parsed.success) issues.push(...toInputIssues(parsed.error.issues, `${pointer}/args`));
  });
  return issues.slice(0, MAX_ISSUES);
}
