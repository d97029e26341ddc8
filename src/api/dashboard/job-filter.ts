/**
 * The filter of the jobs page as it stands in the address bar: read with the schema of `GET /v1/jobs`, told in words, and counted. Pure.
 */
import { z } from '@hono/zod-openapi';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import type { JobFilter } from '#shared/job/job-filter.ts';
import type { JobState, PersonsAct } from '#shared/job/transitions.ts';
import { transition } from '#shared/job/transitions.ts';
import { filterQuery } from '../contract/job-filter.ts';
import type { Query } from './frame.ts';

const filterSchema = z.object(filterQuery);
const names = Object.keys(filterQuery) as (keyof JobFilter)[];
/** What a browser's field for a time gives: we say beside it that it is UTC. */
const WITHOUT_ZONE = /^(?<minute>\d{4}-\d\d-\d\dT\d\d:\d\d)(?<second>:\d\d)?$/;

/** Members of the address that are no part of a filter are left alone; empty ones are as if they were not there. Throws `InvalidInput`. */
export function readFilter(query: URLSearchParams): JobFilter {
  const given = Object.fromEntries(
    names.flatMap((name): [string, string | string[]][] => {
      const values = query
        .getAll(name)
        .map(withZone)
        .filter((value) => value !== '');
      const [first, ...others] = values;
      return first === undefined ? [] : [[name, others.length === 0 ? first : values]];
    }),
  );
  const parsed = filterSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidInput('invalid_request', 'the filter is wrong', toInputIssues(parsed.error.issues));
}

export function toQuery(filter: JobFilter): Query {
  return filter as Query;
}

/** What of it cannot be told from the kept counts. */
export function hasMoreThanCounts({ state: _, type: __, queue: ___, ...rest }: JobFilter): boolean {
  return Object.values(rest).some((value) => value !== undefined);
}

export function isEmpty(filter: JobFilter): boolean {
  return Object.values(filter).every((value) => value === undefined);
}

/** In words, for a question that is asked before many jobs are changed. */
export function tellFilter(filter: JobFilter): string {
  const parts = Object.entries(filter).flatMap(([name, value]) =>
    value === undefined ? [] : [`${labels[name as keyof JobFilter]} ${[value].flat().join(' or ')}`],
  );
  return parts.join(', ');
}

const labels: Record<keyof JobFilter, string> = {
  state: 'state',
  type: 'type',
  queue: 'queue',
  priority: 'priority',
  group: 'group',
  tag: 'tag',
  batch: 'batch',
  createdAfter: 'enqueued after',
  finishedAfter: 'ended after',
  finishedBefore: 'ended before',
  q: 'with the text',
};

/** The states in which the act can be done to a job. */
export function statesOf(act: PersonsAct): readonly JobState[] {
  return act === 'cancel'
    ? [...transition('cancel').from, ...transition('askToCancel').from]
    : transition(act).from;
}

/** A time as a browser gives it is of UTC, and has no seconds where they are 0. Everything else is as it was. */
export function withZone(value: string): string {
  const time = WITHOUT_ZONE.exec(value)?.groups;
  return time === undefined ? value.trim() : `${time['minute']}${time['second'] ?? ':00'}Z`;
}
