/**
 * Checks every job of a batch, so that a client hears of all that is wrong at once, with pointers into its request. Pure.
 */
import type { InputIssue } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { CheckedArguments } from '#shared/job/arguments.ts';
import { checkArguments } from '#shared/job/arguments.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { NewJobBody } from './contract/job.ts';

export interface BatchRules {
  definitions: ReadonlyMap<string, JobDefinition>;
  queues: readonly string[];
}

/** Unknown types and queues, and arguments that do not fit them, at most `MAX_ISSUES`. In slices. */
export async function findBatchIssues(jobs: readonly NewJobBody[], rules: BatchRules): Promise<InputIssue[]> {
  let count = 0;
  const counted = (issues: InputIssue[]): InputIssue[] => {
    count += issues.length;
    return issues;
  };
  const issues = await mapInSlices(jobs, (job, index) => {
    if (count >= MAX_ISSUES) return [];
    const found = findJobIssues(job, `/jobs/${index}`, rules);
    return found instanceof Promise ? found.then(counted) : counted(found);
  });
  return issues.flat().slice(0, MAX_ISSUES);
}

function findJobIssues(
  { type, args, queue }: NewJobBody,
  pointer: string,
  { definitions, queues }: BatchRules,
): InputIssue[] | Promise<InputIssue[]> {
  const definition = definitions.get(type);
  if (definition === undefined)
    return [{ detail: 'no such job type is registered', pointer: `${pointer}/type` }];
  const issues: InputIssue[] = [];
  if (queue !== undefined && !queues.includes(queue))
    issues.push({ detail: `there are ${queues.join(', ')}`, pointer: `${pointer}/queue` });
  const withThose = (checked: CheckedArguments<unknown>) =>
    'issues' in checked ? [...issues, ...checked.issues] : issues;
  const checked = checkArguments(definition, args, `${pointer}/args`);
  return checked instanceof Promise ? checked.then(withThose) : withThose(checked);
}
