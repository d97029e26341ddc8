/**
 * Reads the body of a batch, `{"jobs": […]}`, job by job: no job costs more than it would alone, however many come together.
 *
 * Guarantees: the jobs are counted before the first is parsed; each is parsed, looked at and checked by itself, in slices; it ends at the first
 * `MAX_ISSUES` things that are wrong. Throws `InvalidInput`, or an `HTTPException` where the body is no JSON.
 */
import { z } from '@hono/zod-openapi';
import type { InputIssue } from '#shared/base/errors.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { BodyReservation } from './body-budget.ts';
import { BYTES_PER_VALUE } from './body-budget.ts';
import type { NewJobBody } from './contract/job.ts';
import {
  MAX_BATCH_JOBS,
  MAX_BATCH_VALUES,
  MAX_JOB_BYTES,
  MAX_JOB_DEPTH,
  MAX_JOB_VALUES,
  newJobSchema,
} from './contract/job.ts';
import type { Element, TakenApart, TooMuch as TooMuchError } from './json-text.ts';
import { TooMuch, takeApart } from './json-text.ts';
import { parseJson } from './request-body.ts';
import { findUnstorable } from './storable-json.ts';

/** The body without its jobs: a name and some brackets, and whatever white space is between them. */
const MAX_FRAME_BYTES = 65_536;

const frameSchema = z.strictObject({ jobs: z.array(z.never()) });

/** The jobs, each of which fits `newJobSchema`. `reservation` grows by what the values need. */
export async function readBatch(bytes: Uint8Array, reservation: BodyReservation): Promise<NewJobBody[]> {
  const { frame, elements, values } = await takeBatchApart(bytes);
  reservation.add(values * BYTES_PER_VALUE);
  checkFrame(frame, elements);
  const faults: InvalidInput[] = [];
  const jobs = await mapInSlices(elements, (element, index) => {
    if (faults.length >= MAX_ISSUES) return undefined;
    const job = readJob(element, `/jobs/${index}`);
    if (!(job instanceof InvalidInput)) return job;
    faults.push(job);
    return undefined;
  });
  const [first] = faults;
  if (first === undefined) return jobs as NewJobBody[];
  const issues = faults.flatMap((fault) => fault.issues);
  throw new InvalidInput(first.code, first.message, issues.slice(0, MAX_ISSUES));
}

async function takeBatchApart(bytes: Uint8Array): Promise<TakenApart> {
  const limits = { elements: MAX_BATCH_JOBS, elementValues: MAX_JOB_VALUES, values: MAX_BATCH_VALUES };
  try {
    return await takeApart(bytes, limits);
  } catch (error) {
    throw error instanceof TooMuch ? refusal(tooMuchIssue(error)) : error;
  }
}

function tooMuchIssue({ what, index }: TooMuchError): InputIssue {
  switch (what) {
    case 'second-list':
      return { detail: 'has a second list', pointer: '' };
    case 'elements':
      return { detail: `must have at most ${MAX_BATCH_JOBS} jobs`, pointer: '/jobs' };
    case 'elementValues':
      return { detail: `must have at most ${MAX_JOB_VALUES} JSON values`, pointer: `/jobs/${index}` };
    case 'values':
      return { detail: `must have at most ${MAX_BATCH_VALUES} JSON values`, pointer: '' };
  }
}

function checkFrame(frame: Uint8Array, elements: readonly Element[]): void {
  if (frame.byteLength > MAX_FRAME_BYTES) throw refusal({ detail: 'has more in it than jobs', pointer: '' });
  const parsed = frameSchema.safeParse(parseJson(frame));
  if (!parsed.success) throw refusal(...toInputIssues(parsed.error.issues));
  if (elements.length === 0) throw refusal({ detail: 'must have at least one job', pointer: '/jobs' });
}

/** The job, or what is wrong with it. */
function readJob({ bytes }: Element, pointer: string): NewJobBody | InvalidInput {
  if (bytes.byteLength > MAX_JOB_BYTES)
    return refusal({ detail: `must have at most ${MAX_JOB_BYTES} bytes`, pointer });
  const value = parseJson(bytes);
  const unstorable = findUnstorable(value, { maxDepth: MAX_JOB_DEPTH, maxIssues: MAX_ISSUES, pointer });
  if (unstorable.length > 0)
    return new InvalidInput('not_storable', 'the body cannot be kept as it is', unstorable);
  const parsed = newJobSchema.safeParse(value);
  return parsed.success ? parsed.data : refusal(...toInputIssues(parsed.error.issues, pointer));
}

function refusal(...issues: InputIssue[]): InvalidInput {
  return new InvalidInput('invalid_body', 'the body does not fit its schema', issues);
}
