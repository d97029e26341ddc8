import { expect, test } from 'vitest';
import { z } from 'zod';
import { jsonPointer, toInputIssues } from '../../../src/shared/base/input-issues.ts';

const schema = z.strictObject({
  'a/b': z.strictObject({ '~c': z.array(z.int()) }),
  either: z.union([z.literal('none'), z.int('must be a whole number')]),
});

function issuesOf(input: unknown, prefix?: string) {
  const parsed = schema.safeParse(input);
  return toInputIssues(parsed.error?.issues ?? [], prefix);
}

test('every issue points to what has to be mended, as RFC 6901 spells it', () => {
  expect(issuesOf({ 'a/b': { '~c': [1, 'x'] }, either: 1 })).toEqual([
    { detail: expect.stringContaining('number'), pointer: '/a~1b/~0c/1' },
  ]);
  expect(issuesOf({ 'a/b': { '~c': [] }, either: 1 })).toEqual([]);
});

test('a member that does not exist is an issue of its own, wherever it is', () => {
  expect(issuesOf({ 'a/b': { '~c': [], more: 1, 'e/f': 2 }, either: 1, g: 3 }, '/args')).toEqual([
    { detail: 'there is no such member', pointer: '/args/a~1b/more' },
    { detail: 'there is no such member', pointer: '/args/a~1b/e~1f' },
    { detail: 'there is no such member', pointer: '/args/g' },
  ]);
});

test('what fits no branch of a union is told what each would take', () => {
  const [issue] = issuesOf({ 'a/b': { '~c': [] }, either: 'some' });
  expect(issue?.pointer).toBe('/either');
  expect(issue?.detail).toMatch(/"none".*, or: must be a whole number/);
});

test('a member that may be anything is called missing where it is not there', () => {
  const { error } = z.strictObject({ args: z.unknown() }).safeParse({});
  expect(toInputIssues(error?.issues ?? [])).toEqual([{ detail: 'is missing', pointer: '/args' }]);
});

test('the whole is the empty pointer', () => {
  expect(jsonPointer([])).toBe('');
  expect(issuesOf(7)).toEqual([{ detail: expect.any(String), pointer: '' }]);
});
