/**
 * The pages of jobs and what is done from them, each by the use case that the routes of the API call, too.
 */
import type { Browser } from '#queue/browse.ts';
import type { Bulk } from '#queue/bulk/bulk.ts';
import { toBulkRequest } from '#queue/bulk/bulk.ts';
import type { Control } from '#queue/control.ts';
import { toJobChanges } from '#queue/enqueue-options.ts';
import type { Explain } from '#queue/explain/explain.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { JobFilter } from '#shared/job/job-filter.ts';
import type { PersonsAct } from '#shared/job/transitions.ts';
import { createJobPresenter } from '../job-presentation.ts';
import { actOnChosen } from './act-on-chosen.ts';
import { readChanges } from './edit-form.ts';
import { hasMoreThanCounts, readFilter, statesOf, toQuery } from './job-filter.ts';
import { jobPage } from './job-page.ts';
import { jobsPage } from './jobs-page.ts';
import type { Destination, Form, Pages } from './pages.ts';
import type { SimpleAct } from './review-page.ts';
import { acts, failuresPage, MAX_CHOSEN, reviewPage } from './review-page.ts';

const PAGE_JOBS = 50;

export interface JobPagesDependencies {
  browser: Browser;
  control: Control;
  bulk: Bulk;
  explain: Explain;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate?: string | undefined;
  /** The queues of the application. */
  queues: readonly string[];
}

export function registerJobPages(pages: Pages, dependencies: JobPagesDependencies): void {
  const { browser, control, explain, definitions, traceUrlTemplate, queues } = dependencies;
  const { present, presentListed } = createJobPresenter({ definitions, traceUrlTemplate });

  pages.get('/dashboard/jobs', async (viewer) => {
    const filter = readFilter(viewer.query);
    const cursor = viewer.query.get('cursor') ?? undefined;
    const [page, counts] = await Promise.all([
      browser.list({ ...filter, cursor, limit: PAGE_JOBS }),
      browser.counts(filter),
    ]);
    const types = [...definitions.keys()].sort();
    return jobsPage(viewer, { filter, page, counts, types, queues, present: presentListed });
  });

  pages.get('/dashboard/jobs/:id', async (viewer, param) => {
    const id = param('id');
    const [job, life, logs, explanation] = await Promise.all([
      browser.find(id),
      browser.life(id),
      browser.logs(id),
      explain(id),
    ]);
    return jobPage(viewer, { job, life, logs, explanation, queues, present });
  });

  registerMany(pages, dependencies);

  const one = (name: SimpleAct, done: string, act: (id: string) => Promise<unknown>) =>
    pages.post(`/dashboard/jobs/:id/${name}`, async ({ param }) => {
      await act(param('id'));
      return { to: `/dashboard/jobs/${encodeURIComponent(param('id'))}`, query: { done } };
    });
  one('retry', 'retried', (id) => control.retry(id));
  one('run', 'run', (id) => control.run(id));
  one('cancel', 'cancelled', (id) => control.cancel(id));

  pages.post('/dashboard/jobs/:id/delete', async ({ param }) => {
    await control.delete(param('id'));
    return { to: '/dashboard/jobs', query: { done: 'deleted' } };
  });

  pages.post('/dashboard/jobs/:id/edit', async ({ fields, param }) => {
    const job = await browser.find(param('id'));
    await control.edit(job.id, toJobChanges(readChanges(fields, job)));
    return { to: `/dashboard/jobs/${job.id}`, query: { done: 'changed' } };
  });
}

/** To the jobs that were chosen, some at a time; to all that match, by a job of its own. The number is told first. */
function registerMany(pages: Pages, { browser, bulk, control }: JobPagesDependencies): void {
  pages.ask('/dashboard/jobs/review', async ({ viewer, fields }) => {
    const { action, filter, search } = readMany(fields);
    if (fields.get('scope') === 'all')
      return reviewPage(viewer, {
        action,
        filter,
        search,
        jobs: await countMatching({ browser, bulk }, action, filter),
      });
    return reviewPage(viewer, { action, filter, search, jobs: readIds(fields) });
  });

  pages.post(
    '/dashboard/jobs/bulk',
    async ({ viewer, fields, trace }): Promise<Destination | ReturnType<typeof failuresPage>> => {
      const { action, filter } = readMany(fields);
      if (fields.get('scope') === 'all') {
        const answer = await bulk(toBulkRequest({ action, filter }), trace);
        return 'job' in answer
          ? { to: `/dashboard/jobs/${answer.job.id}`, query: { done: 'enqueued' } }
          : { to: '/dashboard/jobs' };
      }
      const ids = readIds(fields);
      const failures = await actOnChosen(ids, (id) => control[action](id));
      if (failures.length > 0)
        return failuresPage(viewer, { action, done: ids.length - failures.length, failures });
      return { to: '/dashboard/jobs', query: { ...toQuery(filter), done: 'acted' } };
    },
  );
}

interface Many {
  action: SimpleAct;
  filter: JobFilter;
  /** The filter as it stood in the address bar. */
  search: string;
}

function readMany(fields: Form['fields']): Many {
  const action = fields.get('action') ?? '';
  if (!Object.hasOwn(acts, action)) throw new InvalidInput('invalid_request', `there is no act "${action}"`);
  const search = fields.get('filter') ?? '';
  return { action: action as SimpleAct, filter: readFilter(new URLSearchParams(search)), search };
}

function readIds(fields: Form['fields']): string[] {
  const ids = [...new Set(fields.getAll('id'))];
  if (ids.length === 0) throw new InvalidInput('invalid_request', 'no job was chosen');
  if (ids.length > MAX_CHOSEN)
    throw new InvalidInput('invalid_request', `at most ${MAX_CHOSEN} jobs can be chosen`);
  return ids;
}

/** From the kept counts where they tell it: to count the rows may take seconds where there are millions. */
async function countMatching(
  { browser, bulk }: Pick<JobPagesDependencies, 'browser' | 'bulk'>,
  action: PersonsAct,
  filter: JobFilter,
): Promise<number> {
  if (hasMoreThanCounts(filter)) {
    const answer = await bulk(toBulkRequest({ action, filter, dryRun: true }));
    return 'count' in answer ? answer.count : 0;
  }
  const counts = await browser.counts(filter);
  const asked = filter.state === undefined ? statesOf(action) : [filter.state].flat();
  const states = statesOf(action).filter((state) => asked.includes(state));
  return states.reduce((sum, state) => sum + counts[state], 0);
}
