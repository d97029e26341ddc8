/**
 * Where each reason why a job does not run is seen, and mended where it can be: a page, or a part of the job's own page. Pure.
 */
import type { Explanation } from '#queue/explain/explanation.ts';
import type { Reason } from '#queue/explain/reasons.ts';
import type { Job } from '#shared/job/job.ts';
import type { Query } from './frame.ts';

export interface Place {
  title: string;
  /** `/dashboard/queues`; the job's own page where there is none. */
  path?: string;
  query?: Query;
  /** A part of the page. */
  at?: string;
}

const timeLine: Place = { title: 'Time line', at: 'time-line' };
const workers: Place = { title: 'Workers', path: '/dashboard/workers' };
const overview: Place = { title: 'Overview', path: '/dashboard' };

const places: Record<Reason, (job: Job, explanation: Explanation) => Place> = {
  'due-later': () => timeLine,
  'retry-later': () => ({ title: 'Errors', at: 'errors' }),
  'due-now': () => timeLine,
  expired: () => ({ title: 'What it is', at: 'what' }),
  'claims-closed': () => workers,
  'queue-paused': ({ queue }) => ({
    title: `Queue ${queue}`,
    path: '/dashboard/queues',
    at: `queue-${queue}`,
  }),
  'type-paused': () => ({ title: 'Job types', path: '/dashboard/queues', at: 'types' }),
  'no-worker': () => workers,
  'unknown-type': () => workers,
  limit: () => ({ title: 'Limits', path: '/dashboard/limits' }),
  order: (_job, { waitsFor }) =>
    waitsFor === null ? timeLine : { title: `Job ${waitsFor}`, path: `/dashboard/jobs/${waitsFor}` },
  group: ({ group, queue }) => ({
    title: 'What runs of its group',
    path: '/dashboard/jobs',
    query: { queue, group: group ?? undefined, state: ['available', 'running'] },
  }),
  'broker-away': () => overview,
  'not-published': () => overview,
  'workers-busy': () => workers,
  'starts-next': () => workers,
  running: () => workers,
  cancelling: () => workers,
  'worker-lost': () => workers,
  ended: ({ errors }) => (errors.length === 0 ? timeLine : { title: 'Errors', at: 'errors' }),
};

export function placeOf(job: Job, explanation: Explanation): Place {
  return places[explanation.reason](job, explanation);
}
