/**
 * The arguments of an encrypted job type are opened before its attempt, its output is encrypted after it.
 *
 * Guarantees: a job whose key is not here is handed on uncharged, with the reason in its history, and comes again later: another worker may have the
 * key, or this one after its restart. Arguments that do not decrypt fail the attempt.
 */
import { errorMessage } from '#shared/base/errors.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import { KeyMissing } from '#shared/job/encryption.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { redactEnding } from '#shared/job/redaction.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Ending } from './ending.ts';

/** Before a job is tried again whose key is missing, in milliseconds. */
const KEY_MISSING_MS = 60_000;

/** The claim with its arguments in the clear, or how the attempt ends without them. */
export function openClaim(claim: Claim, encryption: Encryption): { claim: Claim } | { ending: Ending } {
  try {
    return { claim: { ...claim, args: encryption.open(claim.args, { type: claim.type, part: 'args' }) } };
  } catch (error) {
    const message = errorMessage(error);
    return error instanceof KeyMissing
      ? { ending: { kind: 'snoozed', delayMs: KEY_MISSING_MS, message } }
      : { ending: { kind: 'failed', message } };
  }
}

/** The ending as Postgres and the log are to have it: without what the arguments hide, and its output encrypted. */
export function toKept(
  ending: Ending,
  args: unknown,
  { definition, encryption }: { definition: JobDefinition; encryption: Encryption },
): Ending {
  const kept = redactEnding(ending, args, definition);
  const { type, encrypted } = definition;
  if (encrypted !== true || kept.kind !== 'succeeded' || kept.output === undefined) return kept;
  const sealed = encryption.seal(JSON.stringify(kept.output) ?? 'null', { type, part: 'output' });
  return { ...kept, output: JSON.parse(sealed), outputBytes: sealed.length };
}
