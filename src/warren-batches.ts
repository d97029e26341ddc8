/**
 * Batches, as the class `Warren` shows them: jobs that belong together (docs/batches.md).
 */
import type { Batches } from '#queue/batches/batches.ts';
import type { App } from '#shared/job/app.ts';
import type { Batch } from '#shared/job/batch.ts';
import type { ManyElement } from '#warren-options.ts';
import { toRequest } from '#warren-options.ts';

/** `Inputs` are what the jobs of `jobs` take, in their order; the others what the callbacks take. */
export interface NewBatch<
  Inputs extends readonly unknown[],
  Failure = unknown,
  Success = unknown,
  End = unknown,
> {
  /** Its first jobs, at most 10 000; more join it by the option `batch` of an enqueue. */
  jobs: { readonly [Index in keyof Inputs]: ManyElement<Inputs[Index]> };
  /** It does not end before it is closed: more jobs come from outside. Defaults to false. */
  open?: boolean;
  /** Enqueued when the first of its jobs is discarded. */
  onFirstFailure?: ManyElement<Failure> | undefined;
  /** Enqueued when all its jobs have completed. */
  onSuccess?: ManyElement<Success> | undefined;
  /** Enqueued when all its jobs have ended, however. */
  onEnd?: ManyElement<End> | undefined;
}

/** All throw `Unavailable` where nobody can tell now. */
export interface WarrenBatches extends Pick<Batches, 'find' | 'list' | 'close' | 'cancel'> {
  /** Resolves with the batch and the ids of its jobs when all is committed. Throws `InvalidInput`, `Conflict` or `QueueFull`, and enqueues nothing then. */
  create<Inputs extends readonly unknown[], Failure, Success, End>(
    batch: NewBatch<Inputs, Failure, Success, End>,
    options?: { idempotencyKey?: string },
  ): Promise<{ batch: Batch; ids: string[] }>;
}

export function createWarrenBatches(app: App, batches: Batches): WarrenBatches {
  const { find, list, close, cancel } = batches;
  return {
    create: async ({ jobs, open, onFirstFailure, onSuccess, onEnd }, { idempotencyKey } = {}) => {
      const request = (element: unknown, pointer: string) =>
        toRequest(app, element as ManyElement<unknown>, `${pointer}/options`);
      const optional = (element: unknown, pointer: string) =>
        element === undefined ? undefined : request(element, pointer);
      return await batches.create(
        {
          jobs: jobs.map((element, index) => request(element, `/jobs/${index}`)),
          open,
          onFirstFailure: optional(onFirstFailure, '/onFirstFailure'),
          onSuccess: optional(onSuccess, '/onSuccess'),
          onEnd: optional(onEnd, '/onEnd'),
        },
        idempotencyKey,
      );
    },
    find,
    list,
    close,
    cancel,
  };
}
