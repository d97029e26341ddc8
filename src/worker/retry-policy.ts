/**
 * What the job type says of the error that an attempt has failed with: whether the job is tried again, and when. Pure.
 *
 * Guarantees: a policy that throws or names no time counts as none, so that a job is not lost to its own arithmetic.
 */
import { Unrecoverable } from '#shared/base/errors.ts';
import type { ErrorKind, JobDefinition, RetryRule } from '#shared/job/job.ts';

/** `false`: no further attempt. A number: the wait before it, in milliseconds. Undefined: what is usual. */
export type RetryDecision = number | false | undefined;

export function decideRetry(
  { retry }: Pick<JobDefinition, 'retry'>,
  threw: unknown,
  attempt: number,
): RetryDecision {
  if (threw instanceof Unrecoverable) return false;
  if (retry === undefined) return undefined;
  try {
    const decision = typeof retry === 'function' ? retry(threw, attempt) : byRules(retry, threw, attempt);
    return decision === false || Number.isFinite(decision) ? decision : undefined;
  } catch {
    return undefined; // the error of the handler goes into the history, not that of the policy
  }
}

function byRules(rules: readonly RetryRule[], threw: unknown, attempt: number): RetryDecision {
  const rule = rules.find(({ on }) => isOfKind(threw, on));
  if (rule === undefined) return undefined;
  if (rule.maxAttempts !== undefined && attempt >= rule.maxAttempts) return false;
  return rule.delayMs ?? rule.backoffMs?.(attempt);
}

/** By its name also where it is a subclass that has none of its own, or of another copy of a package. */
function isOfKind(threw: unknown, kind: ErrorKind): boolean {
  if (typeof kind !== 'string') return threw instanceof kind;
  return threw instanceof Error && (threw.name === kind || threw.constructor.name === kind);
}
