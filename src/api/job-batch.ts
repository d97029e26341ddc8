/**
 * Checks every job of a batch, so that a client hears of all that is wrong at once, with pointers into its request. Pure.
 */
import type { InputIssue } from '#shared/errors.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import { toInputIssues } from '#shared/input-issues.ts';
import type { JobDefinition } from '#shared/job.ts';
import type { NewJobBody } from './contract/job.ts';

/** Unknown types and queues, and arguments that do not fit them, at most `MAX_ISSUES`. */
export function findBatchIssues(
  jobs: readonly NewJobBody[],
  { definitions, queues }: { definitions: ReadonlyMap<string, JobDefinition>; queues: readonly string[] },
): InputIssue[] {
  const issues: InputIssue[] = [];
  for (const [index, { type, args, queue }] of jobs.entries()) {
    if (issues.length >= MAX_ISSUES) break;
    const pointer = `/jobs/${index}`;
    const definition = definitions.get(type);
    if (definition === undefined) {
      issues.push({ detail: 'no such job type is registered', pointer: `${pointer}/type` });
      continue;
    }
    if (queue !== undefined && !queues.includes(queue))
      issues.push({ detail: `there are ${queues.join(', ')}`, pointer: `${pointer}/queue` });
    const parsed = definition.args.safeParse(args);
    if (!parsed.success) issues.push(...toInputIssues(parsed.error.issues, `${pointer}/args`));
  }
  return issues.slice(0, MAX_ISSUES);
}
