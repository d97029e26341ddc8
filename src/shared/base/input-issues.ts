/**
 * What zod found wrong, as issues with JSON pointers (RFC 6901) for the one who sent it. Pure.
 */
import type { z } from 'zod';
import type { InputIssue } from './errors.ts';

/** zod finds all that is wrong, and a thousandth issue helps nobody. */
const MAX_ISSUES = 100;

/** One issue per thing to mend, a hundred at most. `prefix` is the pointer to what was parsed. */
export function toInputIssues(issues: readonly z.core.$ZodIssue[], prefix = ''): InputIssue[] {
  return issues.slice(0, MAX_ISSUES).flatMap((issue) => {
    const pointer = prefix + jsonPointer(issue.path);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.slice(0, MAX_ISSUES).map((key) => ({
        detail: 'there is no such member',
        pointer: pointer + jsonPointer([key]),
      }));
    return [{ detail: explain(issue), pointer }];
  });
}

export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** zod says no more than "Invalid input" of a union: its branches know better. */
function explain(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const messages = issue.errors.map(([first]) => first?.message).filter((message) => message !== undefined);
  return messages.length === 0 ? issue.message : [...new Set(messages)].join(', or: ');
}
