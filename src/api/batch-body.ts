/**
 * Reads a body of many jobs, `{"jobs": […]}`, job by job: no job costs more than it would alone, however many come together.
 *
 * Guarantees: the jobs are counted before the first is parsed; each is parsed, looked at and checked by itself, in slices; it ends at the first
 * `MAX_ISSUES` things that are wrong. Throws `InvalidInput`, or an `HTTPException` where the body is no JSON.
 */
import { z } from '@hono/zod-openapi';
import type { InputIssue } from '#shared/base/errors.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { MAX_ISSUES } from '#shared/http/problem-response.ts';
import type { BodyReservation } from './body-budget.ts';
import { BYTES_PER_VALUE } from './body-budget.ts';
import type { NewBatchBody } from './contract/batch.ts';
import { newBatchMembers } from './contract/batch.ts';
import type { NewJobBody } from './contract/job.ts';
import {
  MAX_BATCH_JOBS,
  MAX_BATCH_VALUES,
  MAX_JOB_BYTES,
  MAX_JOB_DEPTH,
  MAX_JOB_VALUES,
  newJobSchema,
} from './contract/job.ts';
import { readEach } from './job-batch.ts';
import type { Element, TakenApart, TooMuch as TooMuchError } from './json-text.ts';
import { TooMuch, takeApart } from './json-text.ts';
import { parseJson } from './request-body.ts';
import { findUnstorable } from './storable-json.ts';

/** The body without its jobs: a name and some brackets, whatever white space is between them, and what else the body may have. */
const MAX_FRAME_BYTES = 65_536;

const noJobs = { jobs: z.array(z.never()) };
const plainFrame = z.strictObject(noJobs);
const batchFrame = z.strictObject({ ...newBatchMembers, ...noJobs });

/** The jobs, at least one, each of which fits `newJobSchema`. `reservation` grows by what the values need. */
export async function readJobs(bytes: Uint8Array, reservation: BodyReservation): Promise<NewJobBody[]> {
  const { jobs } = await readBody(bytes, reservation, plainFrame);
  if (jobs.length === 0) throw refusal({ detail: 'must have at least one job', pointer: '/jobs' });
  return jobs;
}

/** The same for a new batch, which may be without jobs. */
export async function readNewBatch(
  bytes: Uint8Array,
  reservation: BodyReservation,
): Promise<NewBatchBody & { jobs: NewJobBody[] }> {
  const { frame, jobs } = await readBody(bytes, reservation, batchFrame);
  return { ...frame, jobs };
}

async function readBody<Frame extends z.ZodType>(
  bytes: Uint8Array,
  reservation: BodyReservation,
  schema: Frame,
): Promise<{ frame: z.output<Frame>; jobs: NewJobBody[] }> {
  const { frame: frameBytes, elements, values } = await takeBatchApart(bytes);
  reservation.add(values * BYTES_PER_VALUE);
  const frame = readFrame(frameBytes, schema);
  return { frame, jobs: await readEach(elements, (element, index) => readJob(element, `/jobs/${index}`)) };
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

function readFrame<Frame extends z.ZodType>(bytes: Uint8Array, schema: Frame): z.output<Frame> {
  if (bytes.byteLength > MAX_FRAME_BYTES) throw refusal({ detail: 'has more in it than jobs', pointer: '' });
  const value = parseJson(bytes);
  const unstorable = findUnstorable(value, {
    maxDepth: MAX_JOB_DEPTH + 1,
    maxIssues: MAX_ISSUES,
    pointer: '',
  });
  if (unstorable.length > 0) throw notStorable(unstorable);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refusal(...toInputIssues(parsed.error.issues));
  return parsed.data;
}

const notStorable = (issues: readonly InputIssue[]) =>
  new InvalidInput('not_storable', 'the body cannot be kept as it is', [...issues]);

/** Throws `InvalidInput` with what is wrong with it. */
function readJob({ bytes }: Element, pointer: string): NewJobBody {
  if (bytes.byteLength > MAX_JOB_BYTES)
    throw refusal({ detail: `must have at most ${MAX_JOB_BYTES} bytes`, pointer });
  const value = parseJson(bytes);
  const unstorable = findUnstorable(value, { maxDepth: MAX_JOB_DEPTH, maxIssues: MAX_ISSUES, pointer });
  if (unstorable.length > 0) throw notStorable(unstorable);
  const parsed = newJobSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refusal(...toInputIssues(parsed.error.issues, pointer));
}

function refusal(...issues: InputIssue[]): InvalidInput {
  return new InvalidInput('invalid_body', 'the body does not fit its schema', issues);
}
