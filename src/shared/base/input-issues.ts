/**
 * What a schema found wrong, as issues with JSON pointers (RFC 6901) for the one who sent it. Pure.
 *
 * Takes the issues of any Standard Schema; zod's carry more than the standard asks for, and are explained better.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { InputIssue } from './errors.ts';

/** A schema finds all that is wrong, and a thousandth issue helps nobody. */
const MAX_ISSUES = 100;

/** What zod adds to an issue. */
type ZodDetails =
  | { code: 'unrecognized_keys'; keys: readonly string[] }
  | { code: 'invalid_type'; expected: string }
  | { code: 'invalid_union'; errors: readonly (readonly StandardSchemaV1.Issue[])[] }
  | { code?: undefined };

/** One issue per thing to mend, a hundred at most. `prefix` is the pointer to what was parsed. */
export function toInputIssues(issues: readonly StandardSchemaV1.Issue[], prefix = ''): InputIssue[] {
  return issues.slice(0, MAX_ISSUES).flatMap((issue) => {
    const pointer = prefix + jsonPointer((issue.path ?? []).map(toKey));
    const details = issue as ZodDetails;
    if (details.code === 'unrecognized_keys')
      return details.keys.slice(0, MAX_ISSUES).map((key) => ({
        detail: 'there is no such member',
        pointer: pointer + jsonPointer([key]),
      }));
    return [{ detail: explain(issue.message, details), pointer }];
  });
}

export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function toKey(segment: PropertyKey | StandardSchemaV1.PathSegment): PropertyKey {
  return typeof segment === 'object' ? segment.key : segment;
}

/** zod says no more than "Invalid input" of a union: its branches know better. Of a member that may be anything, and is not there, it says "expected nonoptional". */
function explain(message: string, details: ZodDetails): string {
  if (details.code === 'invalid_type' && details.expected === 'nonoptional') return 'is missing';
  if (details.code !== 'invalid_union') return message;
  const messages = details.errors.map(([first]) => first?.message).filter((found) => found !== undefined);
  return messages.length === 0 ? message : [...new Set(messages)].join(', or: ');
}
