/**
 * A new job of protobuf, brought into the shape of HTTP's and checked by the same schema: what is refused there is refused here, with the same pointers.
 * Pure. Throws `InvalidInput`.
 */
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { NewJobBody } from '../contract/job.ts';
import { MAX_JOB_BYTES, MAX_JOB_DEPTH, MAX_JOB_VALUES, newJobSchema } from '../contract/job.ts';
import { countValues } from '../json-text.ts';
import { findUnstorable } from '../storable-json.ts';
import type { Contract, NewJobMessage, TimestampMessage } from './contract.ts';

export interface ReadNewJobOptions {
  decodeNewJob: Contract['decodeNewJob'];
  /** To the job in the request. */
  pointer: string;
  /** Told of the number of its JSON values before they are parsed. */
  reserveValues: (values: number) => void;
}

export function readNewJob(
  bytes: Uint8Array,
  { decodeNewJob, pointer, reserveValues }: ReadNewJobOptions,
): NewJobBody {
  if (bytes.byteLength > MAX_JOB_BYTES)
    throw refusal({ detail: `must have at most ${MAX_JOB_BYTES} bytes`, pointer });
  const { args, runAt, expiresAt, unique, ...members } = decodeNewJob(bytes);
  const body = {
    ...members,
    args: args === undefined ? undefined : parseArgs(args, pointer, reserveValues),
    ...(runAt !== undefined && { runAt: toInstant(runAt) }),
    ...(expiresAt !== undefined && { expiresAt: toInstant(expiresAt) }),
    ...(unique !== undefined && { unique: toUnique(unique) }),
  };
  const unstorable = findUnstorable(body, { maxDepth: MAX_JOB_DEPTH, maxIssues: MAX_ISSUES, pointer });
  if (unstorable.length > 0)
    throw new InvalidInput('not_storable', 'the request cannot be kept as it is', unstorable);
  const parsed = newJobSchema.safeParse(body);
  if (!parsed.success) throw refusal(...toInputIssues(parsed.error.issues, pointer));
  return parsed.data;
}

export function refusal(...issues: InvalidInput['issues'][number][]): InvalidInput {
  return new InvalidInput('invalid_body', 'the request does not fit its schema', issues);
}

function parseArgs(text: string, pointer: string, reserveValues: (values: number) => void): unknown {
  const values = countValues(Buffer.from(text), MAX_JOB_VALUES);
  if (values > MAX_JOB_VALUES)
    throw refusal({ detail: `must have at most ${MAX_JOB_VALUES} JSON values`, pointer: `${pointer}/args` });
  reserveValues(values);
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as Error).message.slice(0, 200);
    throw refusal({ detail: `is not JSON: ${reason}`, pointer: `${pointer}/args` });
  }
}

/** RFC 3339; what no date can hold is left to the schema, which refuses it. */
function toInstant({ seconds = 0, nanos = 0 }: TimestampMessage): string {
  const date = new Date(seconds * 1_000 + Math.floor(nanos / 1_000_000));
  return Number.isNaN(date.getTime()) ? `${seconds} seconds after 1970` : date.toISOString();
}

function toUnique({ key, for: heldFor, forMs, onConflict }: NonNullable<NewJobMessage['unique']>): object {
  return {
    key: key ?? '',
    ...(heldFor !== undefined && { for: shortName('UNIQUE_FOR', heldFor) }),
    ...(forMs !== undefined && { for: { ms: forMs } }),
    ...(onConflict !== undefined && { onConflict: shortName('ON_CONFLICT', onConflict) }),
  };
}

/** `live` of `UNIQUE_FOR_LIVE`; undefined where it says nothing. */
function shortName(prefix: string, value: string | number): string | undefined {
  if (value === `${prefix}_UNSPECIFIED`) return undefined;
  return (
    String(value)
      .slice(prefix.length + 1)
      .toLowerCase() || String(value)
  );
}
