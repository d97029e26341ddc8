/**
 * One job: why it does not run, its life as a time line, what it was given and gave back, its errors and what it says. Pure.
 */
import { html } from 'hono/html';
import type { Explanation } from '#queue/explain/explanation.ts';
import type { Job } from '#shared/job/job.ts';
import type { JobLife } from '#shared/job/job-life.ts';
import type { JobLogLine } from '#shared/job/job-note.ts';
import type { JobPresenter } from '../job-presentation.ts';
import { renderEdit } from './edit-form.ts';
import type { Page, Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { button, count, duration, facts, instant, state, time } from './html.ts';
import { statesOf } from './job-filter.ts';
import { renderJson, renderText } from './json.ts';
import { placeOf } from './reason-places.ts';

/** Of a log, the last ones. */
const MAX_SHOWN_LINES = 500;

export interface JobPageOptions {
  job: Job;
  life: JobLife;
  logs: readonly JobLogLine[];
  explanation: Explanation;
  queues: readonly string[];
  present: JobPresenter['present'];
}

export function jobPage(viewer: Viewer, options: JobPageOptions): Page {
  const { job, life, logs } = options;
  const shown = options.present(job);
  return {
    title: `${job.type} ${job.id}`,
    watchedJob: job.id,
    body: html`<div class="title"><span>${state(job.state)}</span>${viewer.mayAct ? renderActs(viewer, job) : ''}</div>
${job.state === 'completed' ? '' : renderWhy(viewer, options)}
<div class="grid"><section class="card" id="time-line"><h2>Time line</h2>${renderLife(job, life)}</section>
<section class="card" id="what"><h2>What it is</h2>${renderFacts(viewer, { job, shown, life })}</section></div>
${shown.progress === undefined ? '' : renderProgress(shown.progress)}
<div class="grid"><section class="card"><h2>Arguments</h2>${renderJson(shown.args, 'args')}</section>
<section class="card"><h2>Output</h2>${renderJson(shown.output, 'output')}</section></div>
${shown.errors.length === 0 ? '' : html`<section class="card" id="errors"><h2>Errors</h2>${shown.errors.toReversed().map(renderError)}</section>`}
<section class="card"><h2>Log</h2>${renderLogs(logs)}</section>
${viewer.mayAct && statesOf('edit').includes(job.state) ? renderEdit(viewer, job, options.queues) : ''}`,
  };
}

function renderActs({ link }: Viewer, job: Job): Html {
  const action = (name: string) => link(`/dashboard/jobs/${job.id}/${name}`);
  const may = (name: 'retry' | 'run' | 'cancel' | 'delete') => statesOf(name).includes(job.state);
  return html`<div class="acts">${may('retry') ? button({ action: action('retry'), label: 'Retry' }) : ''}
${may('run') ? button({ action: action('run'), label: 'Run now' }) : ''}
${may('cancel') ? button({ action: action('cancel'), label: 'Cancel', warning: job.state === 'running' ? 'Its handler is asked to stop, and what it has done so far stays done.' : 'It will not run.' }) : ''}
${may('delete') ? button({ action: action('delete'), label: 'Delete', warning: 'Its row, its log and its output are gone for good.' }) : ''}</div>`;
}

function renderWhy({ link }: Viewer, { job, explanation }: JobPageOptions): Html {
  const { detail, remedy } = explanation;
  const { title, path, query, at } = placeOf(job, explanation);
  const href = `${path === undefined ? '' : link(path, query)}${at === undefined ? '' : `#${at}`}`;
  return html`<p class="notice why" id="why"><strong>${detail}</strong> ${remedy ?? ''} <a href="${href}">${title}</a></p>`;
}

function renderLife(job: Job, { publishedAt, cancelRequestedAt, worker }: JobLife): Html {
  const due = job.runAt > job.createdAt ? job.runAt : null;
  const end = job.finishedAt ?? null;
  const moments: [string, Date | null, Content][] = [
    ['enqueued', job.createdAt, ''],
    ['published', publishedAt, 'RabbitMQ has confirmed its message'],
    [job.state === 'retryable' || job.state === 'scheduled' ? 'due' : 'was due', due, ''],
    ['claimed', job.startedAt, worker === null ? '' : `ran on ${worker}`],
    ['asked to stop', cancelRequestedAt, ''],
    [job.state, end, ''],
  ];
  const known = moments
    .filter((moment): moment is [string, Date, Content] => moment[1] !== null)
    .sort(([, one], [, other]) => one.getTime() - other.getTime());
  return html`<ol class="timeline">${known.map(([name, at, detail], index) => {
    const before = known[index - 1]?.[1];
    const since = before === undefined ? '' : ` +${duration(at.getTime() - before.getTime())}`;
    return html`<li class="${index === known.length - 1 ? job.state : 'quiet'}"><strong>${name}</strong><span>${instant(at)}${since}${detail === '' ? '' : html` · ${detail}`}</span></li>`;
  })}</ol>`;
}

interface Facts {
  job: Job;
  shown: ReturnType<JobPresenter['present']>;
  life: JobLife;
}

function renderFacts({ link, mayAudit }: Viewer, { job, shown, life: { schedule } }: Facts): Html {
  const jobs = (member: string, value: string) =>
    html`<a href="${link('/dashboard/jobs', { [member]: value })}">${value}</a>`;
  const pairs: [string, Content][] = [
    ['Type', jobs('type', job.type)],
    ['Queue', jobs('queue', job.queue)],
    ['Attempts', `${job.attempt} of ${job.maxAttempts}`],
    ['Priority', String(job.priority)],
  ];
  if (job.group !== null) pairs.push(['Group', jobs('group', job.group)]);
  if (job.orderingKey !== null) pairs.push(['Ordering key', job.orderingKey]);
  if (job.uniqueKey !== null) pairs.push(['Unique key', job.uniqueKey]);
  if (job.tags.length > 0) pairs.push(['Tags', job.tags.map((tag) => html`${jobs('tag', tag)} `)]);
  if (job.limits.length > 0)
    pairs.push(['Limits', html`<a href="${link('/dashboard/limits')}">${job.limits.join(', ')}</a>`]);
  if (job.batch !== null)
    pairs.push(['Batch', html`<a href="${link(`/dashboard/batches/${job.batch}`)}">${job.batch}</a>`]);
  if (schedule !== null)
    pairs.push(['Schedule', html`<a href="${link(`/dashboard/schedules/${schedule}`)}">${schedule}</a>`]);
  if (job.expiresAt !== null) pairs.push(['Expires', time(job.expiresAt)]);
  if (shown.traceId !== undefined) pairs.push(['Trace', renderTrace(shown.traceId, shown.traceUrl)]);
  if (mayAudit)
    pairs.push([
      'Acts',
      html`<a href="${link('/dashboard/audit', { act: 'jobs', target: job.id })}">who did what</a>`,
    ]);
  return facts(pairs);
}

function renderTrace(id: string, url: string | undefined): Content {
  return url === undefined ? id : html`<a href="${url}" rel="noreferrer">${id}</a>`;
}

function renderProgress({ share, text }: { share: number; text: string | null }): Html {
  const percent = Math.round(share * 100);
  return html`<section class="card"><h2>Progress</h2><progress max="100" value="${percent}" aria-label="Progress">${percent} %</progress> ${percent} % ${text ?? ''}</section>`;
}

type ShownError = ReturnType<JobPresenter['present']>['errors'][number];

function renderError({ attempt, at, message, stack, causes = [] }: ShownError): Html {
  const origin = [
    ...(stack === undefined ? [] : [stack]),
    ...causes.map(
      (cause) => `Caused by: ${cause.message}${cause.stack === undefined ? '' : `\n${cause.stack}`}`,
    ),
  ];
  return html`<article id="error-${attempt}-${at}"><p><strong class="bad">Attempt ${attempt}</strong> <span class="quiet">${instant(at)}</span></p>${renderText(message)}
${origin.length === 0 ? '' : html`<details id="origin-${attempt}-${at}"><summary>Stack${causes.length === 0 ? '' : ` and ${count(causes.length)} ${causes.length === 1 ? 'cause' : 'causes'}`}</summary>${renderText(origin.join('\n\n'))}</details>`}</article>`;
}

function renderLogs(logs: readonly JobLogLine[]): Html {
  if (logs.length === 0) return html`<p class="empty">It has said nothing.</p>`;
  const left = logs.length - MAX_SHOWN_LINES;
  const level = { debug: 'quiet', info: '', warn: 'warn', error: 'bad' } as const;
  return html`${left <= 0 ? '' : html`<p class="quiet">${count(left)} earlier lines are left out: the API has them.</p>`}<ul class="logs" id="log" tabindex="0" role="log" aria-label="Log">${logs
    .slice(-MAX_SHOWN_LINES)
    .map(
      (line) =>
        html`<li><time datetime="${line.at}" data-exact>${line.at.slice(11, 23)}</time><span class="${level[line.level]}">${line.level}</span><span>${line.message}</span></li>`,
    )}</ul>`;
}
