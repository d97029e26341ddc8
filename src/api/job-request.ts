/**
 * From a new job as a face has read it to the request that the use case takes. Pure.
 */
import { refuseBulkType } from '#queue/bulk/bulk-input.ts';
import type { EnqueueRequest } from '#queue/new-job.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { NewJobBody } from './contract/job.ts';

/** The arguments are checked by the enqueuer, against the job type's schema. Throws `InvalidInput` where there is no such type, or Warren alone gives its arguments. */
export function toRequest(body: NewJobBody, definitions: ReadonlyMap<string, JobDefinition>): EnqueueRequest {
  refuseBulkType(body.type);
  const definition = definitions.get(body.type);
  if (definition !== undefined) return { ...body, definition };
  const known = [...definitions.keys()].join(', ');
  const issues = [{ detail: `there are ${known}`, pointer: '/type' }];
  throw new InvalidInput('unknown_type', 'no such job type is registered', issues);
}
