/**
 * Jobs as a list: which, how many in each state, and what can be done to those that were chosen or to all that match. Pure.
 */
import { html } from 'hono/html';
import type { JobPage } from '#queue/browse.ts';
import type { JobFilter } from '#shared/job/job-filter.ts';
import type { ListedJob } from '#shared/job/listed-job.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { jobStates } from '#shared/job/transitions.ts';
import type { JobPresenter } from '../job-presentation.ts';
import type { Page, Viewer } from './frame.ts';
import { toSearch } from './frame.ts';
import type { Content, Html } from './html.ts';
import { count, state, table, time } from './html.ts';
import { hasMoreThanCounts, isEmpty, toQuery } from './job-filter.ts';

const REFRESH_SECONDS = 5;
const MAX_PREVIEW = 160;

export interface JobsPage {
  filter: JobFilter;
  page: JobPage;
  /** By the type and the queue of the filter. */
  counts: Record<JobState, number>;
  types: readonly string[];
  queues: readonly string[];
  present: JobPresenter['presentListed'];
}

export function jobsPage(viewer: Viewer, options: JobsPage): Page {
  const { filter, page } = options;
  const isFirst = !viewer.query.has('cursor');
  return {
    title: 'Jobs',
    ...(isFirst ? { refreshSeconds: REFRESH_SECONDS } : {}),
    body: html`${renderFacets(viewer, options)}
<form class="card filters" method="get" action="${viewer.link('/dashboard/jobs')}">${renderFilters(viewer, options)}</form>
<form class="card" method="post" action="${viewer.link('/dashboard/jobs/review')}"><h2>${isFirst ? 'Newest first' : 'Older ones'}</h2>
${renderJobs(viewer, options)}
${viewer.mayAct && page.jobs.length > 0 ? renderActs(filter) : ''}</form>
${renderPages(viewer, options)}`,
  };
}

function renderFacets({ link }: Viewer, { filter, counts }: JobsPage): Html {
  const { state: chosen, ...rest } = filter;
  const isExact = !hasMoreThanCounts(filter);
  const of = (name: JobState) => (isExact ? html` <b>${count(counts[name])}</b>` : '');
  const all = Object.values(counts).reduce((sum, each) => sum + each, 0);
  const isChosen = (name: JobState) => [chosen ?? []].flat().includes(name);
  return html`<ul class="facets" aria-label="States">
<li><a href="${link('/dashboard/jobs', toQuery(rest))}"${chosen === undefined ? html` aria-current="true"` : ''}>all${isExact ? html` <b>${count(all)}</b>` : ''}</a></li>
${jobStates.map((name) => html`<li><a href="${link('/dashboard/jobs', { ...toQuery(rest), state: name })}"${isChosen(name) ? html` aria-current="true"` : ''}>${state(name)}${of(name)}</a></li>`)}</ul>`;
}

function renderFilters({ link, query }: Viewer, { types, queues }: JobsPage): Content {
  const value = (name: string) => query.get(name) ?? '';
  const text = (name: string, label: string, hint = '') =>
    html`<label>${label}<input name="${name}" value="${query.getAll(name).join(' ')}" placeholder="${hint}"></label>`;
  const choice = (name: string, label: string, all: readonly string[]) => {
    const known = value(name) === '' || all.includes(value(name)) ? all : [...all, value(name)];
    return html`<label>${label}<select name="${name}"><option value="">any</option>${known.map((each) => html`<option${each === value(name) ? html` selected` : ''}>${each}</option>`)}</select></label>`;
  };
  const at = (name: string, label: string) =>
    html`<label>${label} (UTC)<input type="datetime-local" name="${name}" value="${value(name).replace(/(:\d\d(\.\d+)?)?Z$/, '')}"></label>`;
  return [
    html`<label class="wide">Text in arguments and errors<input type="search" name="q" value="${value('q')}"></label>`,
    choice('type', 'Type', types),
    choice('queue', 'Queue', queues),
    text('tag', 'Tag'),
    text('group', 'Group'),
    text('batch', 'Batch'),
    choice('priority', 'Priority', ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']),
    at('createdAfter', 'Enqueued after'),
    at('finishedAfter', 'Ended after'),
    at('finishedBefore', 'Ended before'),
    html`${query.getAll('state').map((each) => html`<input type="hidden" name="state" value="${each}">`)}<span class="acts"><button class="primary">Find</button> <a class="button" href="${link('/dashboard/jobs')}">Clear</a></span>`,
  ];
}

function renderJobs({ link, mayAct }: Viewer, { page, present }: JobsPage): Html {
  const choose = mayAct ? [''] : [];
  return table({
    caption: 'Jobs',
    columns: [
      ...choose,
      'Job',
      'Type',
      'State',
      'Queue',
      { title: 'Attempt', isNumber: true },
      'Enqueued',
      'Then',
    ],
    empty: page.nextCursor === null ? 'No job matches.' : 'None of these match. Go on with older ones.',
    rows: page.jobs.map((listed) => {
      const job = present(listed);
      const box = html`<input type="checkbox" name="id" value="${job.id}" aria-label="Choose job ${job.id}">`;
      return [
        ...(mayAct ? [box] : []),
        html`<a href="${link(`/dashboard/jobs/${job.id}`)}">${job.id}</a>`,
        html`${job.type}<span class="cut quiet code">${preview(job.args)}</span>`,
        state(job.state),
        job.queue,
        `${job.attempt} of ${job.maxAttempts}`,
        time(job.createdAt),
        renderThen(listed, job.errors.at(-1)?.message),
      ];
    }),
  });
}

/** What comes next, or how it ended. */
function renderThen(
  { state: now, runAt, startedAt, finishedAt }: ListedJob,
  error: string | undefined,
): Content {
  const told = error === undefined ? '' : html`<span class="cut quiet">${error.slice(0, MAX_PREVIEW)}</span>`;
  if (finishedAt !== null) return html`ended ${time(finishedAt)}${now === 'completed' ? '' : told}`;
  if (now === 'running') return html`started ${time(startedAt)}`;
  return html`due ${time(runAt)}${told}`;
}

function preview(args: unknown): string {
  const text = JSON.stringify(args) ?? '';
  return text.length > MAX_PREVIEW ? `${text.slice(0, MAX_PREVIEW)}…` : text;
}

function renderActs(filter: JobFilter): Html {
  return html`<div class="acts sticky"><input type="hidden" name="filter" value="${toSearch(toQuery(filter))}">
<select name="action" aria-label="What to do"><option value="retry">Retry</option><option value="run">Run now</option><option value="cancel">Cancel</option><option value="delete">Delete</option></select>
<button name="scope" value="chosen">The chosen ones …</button>${isEmpty(filter) ? '' : html`<button name="scope" value="all">All that match …</button>`}
<label class="acts"><span><input type="checkbox" id="all"> choose all on this page</span></label></div>`;
}

function renderPages({ link, query }: Viewer, { filter, page }: JobsPage): Html {
  const older = { ...toQuery(filter), cursor: page.nextCursor ?? undefined };
  return html`<nav class="pages" aria-label="Pages">${query.has('cursor') ? html`<a class="button" href="${link('/dashboard/jobs', toQuery(filter))}">Newest</a>` : ''}${page.nextCursor === null ? '' : html`<a class="button" rel="next" href="${link('/dashboard/jobs', older)}">Older</a>`}</nav>`;
}
