/**
 * The methods of `warren.v1.Jobs`: each reads its request within bounds, calls the use case that the HTTP route of the same meaning calls, and presents.
 *
 * An answer to an enqueue waits for the commit in Postgres, never for RabbitMQ. What a request holds of the memory for bodies is given back when it
 * has been answered.
 */
import { once } from 'node:events';
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { JobWatcher } from '#queue/watch.ts';
import { InvalidInput, Unavailable } from '#shared/base/errors.ts';
import { parseBaggage } from '#shared/job/baggage.ts';
import type { Job } from '#shared/job/job.ts';
import type { CarriedTrace, Trace } from '#shared/job/trace.ts';
import type { Events } from '#shared/observe/events.ts';
import type { BodyReservation } from '../body-budget.ts';
import { BYTES_PER_VALUE } from '../body-budget.ts';
import { traceOfEach } from '../carried-trace.ts';
import type { NewJobBody } from '../contract/job.ts';
import { idempotencyKeySchema, MAX_BATCH_JOBS, MAX_BATCH_VALUES } from '../contract/job.ts';
import { assertBatch, readEach } from '../job-batch.ts';
import { createJobPresenter } from '../job-presentation.ts';
import { toRequest } from '../job-request.ts';
import type { JobControlDependencies } from '../routes/job-control.ts';
import type { JobDependencies } from '../routes/jobs.ts';
import type { Contract } from './contract.ts';
import { JOBS_SERVICE } from './contract.ts';
import { readTrace, textOf } from './guard.ts';
import { enumName, toJobMessage } from './job-message.ts';
import { readNewJob, refusal } from './new-job-message.ts';
import { splitRepeatedField } from './repeated-field.ts';
import { CallEnded, toStatus } from './status.ts';

export interface JobsServiceOptions
  extends Omit<JobDependencies, 'waiting' | 'explain'>,
    Omit<JobControlDependencies, 'bulk'> {
  contract: Contract;
  events: Events;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate?: string | undefined;
  watcher: Pick<JobWatcher, 'watch'>;
  phase: () => 'starting' | 'serving' | 'stopping';
  /** Aborts when the watches have to end, because the server does. */
  ending: AbortSignal;
}

/** What a method has of its call. */
interface Call {
  trace: Trace;
  /** What travels with its jobs. */
  carried: CarriedTrace;
  /** Aborts when the caller has gone, or its deadline has passed. */
  signal: AbortSignal;
  idempotencyKey(): string | undefined;
}

export function createJobsService(options: JobsServiceOptions): UntypedServiceImplementation {
  const { contract, browser, control, definitions, traceUrlTemplate } = options;
  const presenter = createJobPresenter({ definitions, traceUrlTemplate });
  const present: Present = (job) => toJobMessage(presenter.present(job));
  const idOf = (bytes: Buffer) => contract.decodeJobId(bytes).id ?? '';
  const methods: Record<string, Act> = {
    Enqueue: enqueue(options, present),
    EnqueueMany: enqueueMany(options),
    Get: async (bytes) => ({ job: present(await browser.find(idOf(bytes))) }),
    Cancel: async (bytes) => ({ job: present(await control.cancel(idOf(bytes))) }),
  };
  const unary = Object.entries(methods).map(([name, act]) => [name, answerUnary(name, act, options)]);
  return { ...Object.fromEntries(unary), Watch: watch(options, present) };
}

type Present = (job: Job) => object;
type Act = (bytes: Buffer, call: Call, reservation: BodyReservation) => Promise<object>;

function answerUnary(name: string, act: Act, options: JobsServiceOptions): handleUnaryCall<Buffer, object> {
  const { events, bodies, phase } = options;
  return async (grpcCall, callback) => {
    const call = callOf(grpcCall, options);
    try {
      assertServing(phase());
      throwIfEnded(call.signal);
      using reservation = bodies.hold(grpcCall.request.byteLength);
      callback(null, await act(grpcCall.request, call, reservation));
    } catch (error) {
      callback(toStatus(error, { events, path: `/${JOBS_SERVICE}/${name}`, trace: call.trace }));
    }
  };
}

function enqueue({ contract, definitions, enqueuer }: JobsServiceOptions, present: Present): Act {
  const { decodeNewJob } = contract;
  return async (bytes, call, reservation) => {
    const [job] = splitRepeatedField(bytes, 1) ?? [];
    if (job === undefined) throw refusal({ detail: 'must have one job', pointer: '' });
    const reserveValues = (values: number) => reservation.add(values * BYTES_PER_VALUE);
    const body = readNewJob(job, { decodeNewJob, pointer: '', reserveValues });
    const request = { ...toRequest(body, definitions), ...call.carried };
    const idempotencyKey = call.idempotencyKey();
    throwIfEnded(call.signal);
    const enqueued = await enqueuer.enqueue(request, idempotencyKey);
    const { created, conflict } = enqueued;
    return {
      job: present(enqueued.job),
      created,
      ...(conflict !== undefined && { conflict: enumName('CONFLICT', conflict) }),
    };
  };
}

function enqueueMany({ contract, definitions, queues, enqueuer }: JobsServiceOptions): Act {
  const { decodeNewJob } = contract;
  return async (bytes, call, reservation) => {
    const elements = splitRepeatedField(bytes, MAX_BATCH_JOBS);
    if (elements === undefined)
      throw refusal({ detail: `must have at most ${MAX_BATCH_JOBS} jobs`, pointer: '/jobs' });
    if (elements.length === 0) throw refusal({ detail: 'must have at least one job', pointer: '/jobs' });
    const jobs = await readJobs(elements, { decodeNewJob, reservation, signal: call.signal });
    await assertBatch(jobs, { definitions, queues, hasMiddleware: enqueuer.hasMiddleware });
    const trace = traceOfEach(call.carried, { jobs: jobs.length, reservation });
    const requests = jobs.map((job) => ({ ...toRequest(job, definitions), ...trace }));
    const idempotencyKey = call.idempotencyKey();
    throwIfEnded(call.signal);
    return { ids: await enqueuer.enqueueBatch(requests, idempotencyKey) };
  };
}

function watch(options: JobsServiceOptions, present: Present): handleServerStreamingCall<Buffer, object> {
  const { contract, events, watcher, ending, phase } = options;
  return async (grpcCall) => {
    const { trace, signal } = callOf(grpcCall, options);
    const eitherEnd = AbortSignal.any([signal, ending]);
    try {
      assertServing(phase());
      const { id = '' } = contract.decodeJobId(grpcCall.request);
      for await (const job of watcher.watch(id, eitherEnd))
        await write(grpcCall, { job: present(job) }, eitherEnd);
      if (ending.aborted) throw new Unavailable('stopping', 'the server stops: watch again');
      grpcCall.end();
    } catch (error) {
      grpcCall.emit('error', toStatus(error, { events, path: `/${JOBS_SERVICE}/Watch`, trace }));
    }
  };
}

interface ReadJobsOptions {
  decodeNewJob: Contract['decodeNewJob'];
  reservation: BodyReservation;
  signal: AbortSignal;
}

async function readJobs(
  elements: readonly Uint8Array[],
  { decodeNewJob, reservation, signal }: ReadJobsOptions,
): Promise<NewJobBody[]> {
  let valuesInAll = 0;
  const reserveValues = (values: number) => {
    valuesInAll += values;
    if (valuesInAll > MAX_BATCH_VALUES)
      throw refusal({ detail: `must have at most ${MAX_BATCH_VALUES} JSON values`, pointer: '' });
    reservation.add(values * BYTES_PER_VALUE);
  };
  return await readEach(elements, (element, index) => {
    throwIfEnded(signal);
    return readNewJob(element, { decodeNewJob, pointer: `/jobs/${index}`, reserveValues });
  });
}

function callOf(
  call: ServerUnaryCall<Buffer, object> | ServerWritableStream<Buffer, object>,
  { enqueuer }: Pick<JobsServiceOptions, 'enqueuer'>,
): Call {
  const trace = readTrace(call.metadata);
  const baggage = enqueuer.carriesBaggage ? parseBaggage(textOf(call.metadata, 'baggage')) : undefined;
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  if (call.cancelled) gone.abort();
  return {
    trace,
    carried: baggage === undefined ? trace : { ...trace, baggage },
    signal: gone.signal,
    idempotencyKey: () => readIdempotencyKey(textOf(call.metadata, 'idempotency-key')),
  };
}

function readIdempotencyKey(text: string | undefined): string | undefined {
  const parsed = idempotencyKeySchema.safeParse(text);
  if (parsed.success) return parsed.data;
  const detail = parsed.error.issues.map(({ message }) => message).join(', ');
  throw new InvalidInput('invalid_request', `the metadata idempotency-key ${detail}`);
}

/** No further than the caller reads: a slow one hears of the latest state next. */
async function write(
  call: ServerWritableStream<Buffer, object>,
  message: object,
  signal: AbortSignal,
): Promise<void> {
  if (call.write(message) || signal.aborted) return;
  await once(call, 'drain', { signal }).catch(() => {}); // the caller has gone: the watch ends by the same signal
}

function throwIfEnded(signal: AbortSignal): void {
  if (signal.aborted) throw new CallEnded();
}

function assertServing(phase: 'starting' | 'serving' | 'stopping'): void {
  if (phase === 'starting')
    throw new Unavailable('starting', 'the API is starting: it waits for the database');
}
