/**
 * Reads and checks every job of a batch, so that a client hears of all that is wrong at once, with pointers into its request. Pure.
 */
import type { InputIssue } from '#shared/base/errors.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { CheckedArguments } from '#shared/job/arguments.ts';
import { checkArguments } from '#shared/job/arguments.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { NewJobBody } from './contract/job.ts';

export interface BatchRules {
  definitions: ReadonlyMap<string, JobDefinition>;
  queues: readonly string[];
  /** Arguments are not looked at: middleware may change them before they are checked. */
  hasMiddleware: boolean;
}

/** Throws `InvalidInput` with unknown types and queues, and arguments that do not fit them, at most `MAX_ISSUES`. In slices. */
export async function assertBatch(jobs: readonly NewJobBody[], rules: BatchRules): Promise<void> {
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
  const found = issues.flat();
  if (found.length > 0)
    throw new InvalidInput('invalid_jobs', 'no job was enqueued', found.slice(0, MAX_ISSUES));
}

/**
 * What is read of each element, in slices. Ends at the first `MAX_ISSUES` that are refused: throws the `InvalidInput` of the first, with the issues of all
 * of them.
 */
export async function readEach<Element, Item>(
  elements: readonly Element[],
  read: (element: Element, index: number) => Item,
): Promise<Item[]> {
  const faults: InvalidInput[] = [];
  const items = await mapInSlices(elements, (element, index) => {
    if (faults.length >= MAX_ISSUES) return undefined;
    try {
      return read(element, index);
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      faults.push(error);
      return undefined;
    }
  });
  const [first] = faults;
  if (first === undefined) return items as Item[];
  const issues = faults.flatMap((fault) => fault.issues);
  throw new InvalidInput(first.code, first.message, issues.slice(0, MAX_ISSUES));
}

function findJobIssues(
  { type, args, queue }: NewJobBody,
  pointer: string,
  { definitions, queues, hasMiddleware }: BatchRules,
): InputIssue[] | Promise<InputIssue[]> {
  const definition = definitions.get(type);
  if (definition === undefined)
    return [{ detail: 'no such job type is registered', pointer: `${pointer}/type` }];
  const issues: InputIssue[] = [];
  if (queue !== undefined && !queues.includes(queue))
    issues.push({ detail: `there are ${queues.join(', ')}`, pointer: `${pointer}/queue` });
  if (hasMiddleware) return issues;
  const withThose = (checked: CheckedArguments<unknown>) =>
    'issues' in checked ? [...issues, ...checked.issues] : issues;
  const checked = checkArguments(definition, args, `${pointer}/args`);
  return checked instanceof Promise ? checked.then(withThose) : withThose(checked);
}
