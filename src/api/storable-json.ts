/**
 * Whether a parsed JSON value can be kept in Postgres (`jsonb`) and read back as it was sent.
 *
 * Refused: what jsonb cannot hold (U+0000, lone surrogates in strings and names), numbers that JavaScript has already changed (integers beyond
 * ±(2^53 − 1), numbers too large for it) and nesting that is too deep. Pure; allocates nothing per value, and goes no deeper than `maxDepth`.
 */
import type { InputIssue } from '#shared/base/errors.ts';
import { jsonPointer } from '#shared/base/input-issues.ts';

export interface FindUnstorableOptions {
  /** Containers within each other, the value itself included. */
  maxDepth: number;
  maxIssues: number;
  /** To the value, in what is talked about. Defaults to the whole. */
  pointer?: string;
}

/** What is wrong with the value, at most `maxIssues`. */
export function findUnstorable(root: unknown, options: FindUnstorableOptions): InputIssue[] {
  const walk: Walk = { ...options, pointer: options.pointer ?? '', path: [], issues: [] };
  look(walk, root);
  return walk.issues;
}

/** Whether Postgres can hold the text. */
export function isStorableText(text: string): boolean {
  return findTextFault(text, '') === undefined;
}

interface Walk extends Required<FindUnstorableOptions> {
  /** From the root to where it is. */
  path: (string | number)[];
  issues: InputIssue[];
}

/** False: there are enough issues. */
function look(walk: Walk, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return tell(walk, findFault(value));
  if (walk.path.length >= walk.maxDepth) return tell(walk, 'is nested too deep');
  return Array.isArray(value) ? lookAtElements(walk, value) : lookAtMembers(walk, value);
}

function lookAtElements(walk: Walk, elements: readonly unknown[]): boolean {
  const at = walk.path.push(0) - 1;
  for (let index = 0; index < elements.length; index += 1) {
    walk.path[at] = index;
    if (!look(walk, elements[index])) return false;
  }
  walk.path.pop();
  return true;
}

function lookAtMembers(walk: Walk, container: object): boolean {
  const at = walk.path.push('') - 1;
  for (const name of Object.keys(container)) {
    walk.path[at] = name;
    const fault = findTextFault(name, 'the name of a member');
    const goesOn =
      fault === undefined ? look(walk, (container as Record<string, unknown>)[name]) : tell(walk, fault);
    if (!goesOn) return false;
  }
  walk.path.pop();
  return true;
}

function tell({ path, pointer, issues, maxIssues }: Walk, fault: string | undefined): boolean {
  if (fault === undefined) return true;
  const parts = path.map((part) => String(part).replaceAll('\u0000', '\ufffd').toWellFormed());
  issues.push({ detail: fault, pointer: pointer + jsonPointer(parts) });
  return issues.length < maxIssues;
}

function findFault(value: unknown): string | undefined {
  if (typeof value === 'string') return findTextFault(value, 'the text');
  if (typeof value !== 'number') return undefined;
  if (!Number.isFinite(value)) return 'the number is too large: send it as a string';
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return 'the integer is beyond ±9007199254740991 and would be changed: send it as a string';
  return undefined;
}

function findTextFault(text: string, what: string): string | undefined {
  if (text.includes('\u0000')) return `${what} contains U+0000`;
  if (!text.isWellFormed()) return `${what} contains half of a surrogate pair`;
  return undefined;
}
