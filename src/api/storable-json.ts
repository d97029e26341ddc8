/**
 * Whether a parsed JSON value can be kept in Postgres (`jsonb`) and read back as it was sent.
 *
 * Refused: what jsonb cannot hold (U+0000, lone surrogates in strings and names), numbers that JavaScript has already changed (integers beyond
 * ±(2^53 − 1), numbers too large for it) and nesting that is too deep. Pure, and a loop: no depth can overflow the stack.
 */
import type { InputIssue } from '#shared/errors.ts';
import { jsonPointer } from '#shared/input-issues.ts';

interface Container {
  value: object;
  key: string | number;
  parent: Container | undefined;
  depth: number;
}

/** What is wrong with the value, at most `maxIssues`. `maxDepth`: containers within each other, the value itself included. */
export function findUnstorable(
  root: unknown,
  { maxDepth, maxIssues }: { maxDepth: number; maxIssues: number },
): InputIssue[] {
  const issues: InputIssue[] = [];
  const containers: Container[] = [{ value: { '': root }, key: '', parent: undefined, depth: 0 }];
  for (const container of containers) {
    const isArray = Array.isArray(container.value);
    for (const [key, value] of Object.entries(container.value)) {
      const fault =
        (isArray ? undefined : findTextFault(key, 'the name of a member')) ??
        (container.depth >= maxDepth && isContainer(value) ? TOO_DEEP : findFault(value));
      if (fault !== undefined) issues.push({ detail: fault, pointer: pointerTo(container, key) });
      else if (isContainer(value))
        containers.push({ value, key, parent: container, depth: container.depth + 1 });
      if (issues.length >= maxIssues) return issues;
    }
  }
  return issues;
}

/** Whether Postgres can hold the text. */
export function isStorableText(text: string): boolean {
  return findTextFault(text, '') === undefined;
}

const TOO_DEEP = 'is nested too deep';

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
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

/** The outermost container is not part of the value. */
function pointerTo(container: Container, key: string): string {
  const path: string[] = [key];
  for (let at: Container | undefined = container; at?.parent !== undefined; at = at.parent)
    path.unshift(String(at.key));
  return jsonPointer(path.slice(1).map((part) => part.replaceAll('\u0000', '\ufffd').toWellFormed()));
}
