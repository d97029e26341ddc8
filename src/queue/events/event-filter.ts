/**
 * What a watcher wants to hear of: checked, and in one spelling, so that those who want the same share it in all processes. Pure.
 */
import { hash } from 'node:crypto';
import { InvalidInput } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { EventFilter, JobEvent } from '#shared/job/job-event.ts';
import { jobEventKinds, MAX_FILTER_VALUES } from '#shared/job/job-event.ts';
import type { Interest } from '#shared/postgres/statements/events.ts';

const MAX_NAME = 200;

/** Throws `InvalidInput`. */
export function toInterest({ jobs, queues, types, kinds }: EventFilter): Interest {
  const kindNames: readonly string[] = jobEventKinds;
  const wanted = {
    jobs: check('jobs', jobs, (id) => parseId(id) === id),
    queues: check('queues', queues, isName),
    types: check('types', types, isName),
    kinds: check('kinds', kinds, (kind) => kindNames.includes(kind)),
  };
  return { key: hash('sha256', JSON.stringify(wanted), 'hex'), ...wanted };
}

export function matches({ jobs, queues, types, kinds }: Interest, event: JobEvent): boolean {
  return (
    (jobs === null || jobs.includes(event.jobId)) &&
    (queues === null || queues.includes(event.queue)) &&
    (types === null || types.includes(event.type)) &&
    (kinds === null || kinds.includes(event.kind))
  );
}

function check(
  member: keyof EventFilter,
  values: readonly string[] | undefined,
  isValid: (value: string) => boolean,
): string[] | null {
  if (values === undefined || values.length === 0) return null;
  const wrong = values.find((value) => typeof value !== 'string' || !isValid(value));
  if (wrong === undefined && values.length <= MAX_FILTER_VALUES) return [...new Set(values)].sort();
  const detail =
    wrong === undefined ? `has more than ${MAX_FILTER_VALUES} values` : 'has a value that is none';
  throw new InvalidInput('invalid_request', 'the filter is wrong', [{ detail, pointer: `/${member}` }]);
}

/** As Postgres takes it. */
function isName(text: string): boolean {
  return text.length > 0 && text.length <= MAX_NAME && text.isWellFormed() && !text.includes('\u0000');
}
