/**
 * What is asked before many jobs are changed: what is to be done, to how many; and what is told where some could not be. Pure.
 */
import { html } from 'hono/html';
import type { JobFilter } from '#shared/job/job-filter.ts';
import type { PersonsAct } from '#shared/job/transitions.ts';
import type { Failure } from './act-on-chosen.ts';
import type { Page, Viewer } from './frame.ts';
import { count, table } from './html.ts';
import { statesOf, tellFilter } from './job-filter.ts';

/** Those that need nothing but the job. */
export type SimpleAct = Exclude<PersonsAct, 'edit'>;

/** As many as a list can show. */
export const MAX_CHOSEN = 200;

export const acts: Record<SimpleAct, { label: string; done: string; meaning: string; isFinal: boolean }> = {
  retry: {
    label: 'Retry',
    done: 'retried',
    meaning: 'They run again, with one attempt more where none is left.',
    isFinal: false,
  },
  run: { label: 'Run now', done: 'run', meaning: 'They no longer wait for their time.', isFinal: false },
  cancel: {
    label: 'Cancel',
    done: 'cancelled',
    meaning: 'Those that wait will not run; those that run are asked to stop.',
    isFinal: true,
  },
  delete: {
    label: 'Delete',
    done: 'deleted',
    meaning: 'Their rows, logs and outputs are gone for good.',
    isFinal: true,
  },
};

export interface Review {
  action: SimpleAct;
  filter: JobFilter;
  search: string;
  /** The ids of those that were chosen, or how many match. */
  jobs: readonly string[] | number;
}

export function reviewPage({ link }: Viewer, { action, filter, search, jobs }: Review): Page {
  const { label, meaning, isFinal } = acts[action];
  const number = typeof jobs === 'number' ? jobs : jobs.length;
  const what = number === 1 ? '1 job' : `${count(number)} jobs`;
  const scope = typeof jobs === 'number' ? 'all' : 'chosen';
  const which =
    typeof jobs === 'number'
      ? html`All with ${tellFilter(filter)} that are ${statesOf(action).join(', ')}: ${what} at this moment. A job of its own does it, and jobs that come later are left alone.`
      : html`The jobs ${jobs.join(', ')}.`;
  return {
    title: `${label}: ${what}?`,
    body: html`<form class="card" method="post" action="${link('/dashboard/jobs/bulk')}"><p>${which}</p><p>${meaning}</p>
<input type="hidden" name="action" value="${action}"><input type="hidden" name="scope" value="${scope}"><input type="hidden" name="filter" value="${search}">
${typeof jobs === 'number' ? '' : jobs.map((id) => html`<input type="hidden" name="id" value="${id}">`)}
<div class="acts"><button class="${isFinal ? 'danger' : 'primary'}"${number === 0 ? html` disabled` : ''}>${label}: ${what}</button><a class="button" href="${link('/dashboard/jobs')}${search}">Do nothing</a></div></form>`,
  };
}

export interface Failures {
  action: SimpleAct;
  done: number;
  failures: readonly Failure[];
}

export function failuresPage({ link }: Viewer, { action, done, failures }: Failures): Page {
  return {
    title: `${count(done)} of ${count(done + failures.length)} ${acts[action].done}`,
    body: html`<section class="card">${table({
      caption: 'What could not be done',
      columns: ['Job', 'Why not'],
      empty: '',
      rows: failures.map(({ id, reason }) => [
        html`<a href="${link(`/dashboard/jobs/${id}`)}">${id}</a>`,
        reason,
      ]),
    })}</section>`,
  };
}
