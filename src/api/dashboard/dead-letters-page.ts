/**
 * Dead letters: messages that no worker could use, and the way to the jobs that have failed for good. Send again, delete; the number is told first. Pure.
 */
import { html } from 'hono/html';
import type { DeadLetter, DeadLetterPage } from '#queue/dead-letters.ts';
import type { Page, Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { button, count, linkedCount, state, table, time } from './html.ts';

export interface DeadLettersPage {
  page: DeadLetterPage;
  /** Jobs that have failed for good. */
  discarded: number;
}

export function deadLettersPage(viewer: Viewer, { page, discarded }: DeadLettersPage): Page {
  const { total, deadLetters } = page;
  const { link, mayAct } = viewer;
  return {
    title: 'Dead letters',
    ...(mayAct && total > 0 ? { acts: renderActs(viewer, total) } : {}),
    body: html`<section class="card"><h2>Messages</h2><p>Messages in RabbitMQ that no worker could use. No job is lost by them: jobs are in Postgres, and get another message. When their cause is mended, send them again: a worker looks at each anew, and what it still cannot use comes back.</p>
${table({
  caption: 'Dead letters',
  columns: ['Why', 'Queue', 'Since', 'Jobs', 'Body', ...(mayAct ? ['Act'] : [])],
  empty: 'There are none.',
  rows: deadLetters.map((letter) => [
    letter.reason,
    letter.queue,
    time(letter.at),
    renderJobs(viewer, letter),
    renderBody(letter),
    ...(mayAct ? [renderLetterActs(viewer, letter)] : []),
  ]),
})}${total > deadLetters.length ? html`<p class="quiet">The oldest ${count(deadLetters.length)} of ${count(total)}.</p>` : ''}</section>
<section class="card"><h2>Jobs</h2><p>Jobs that have failed for good: ${linkedCount(discarded, link('/dashboard/jobs', { state: 'discarded' }))}. Each has its errors on its page, and is retried there, or with all that match from the list.</p></section>`,
  };
}

function renderActs({ link }: Viewer, total: number): Html {
  const letters = total === 1 ? 'the letter' : `all ${count(total)} letters`;
  const fields = { atMost: String(total) };
  const warning = 'They go back to the queues that they came from.';
  return html`<div class="acts">${button({ action: link('/dashboard/dead-letters/resend'), label: `Send ${letters} again`, warning, fields })}
${button({ action: link('/dashboard/dead-letters/delete'), label: `Delete ${letters}`, warning: 'Nothing of them is kept.', fields })}</div>`;
}

function renderLetterActs({ link }: Viewer, { id }: DeadLetter): Html {
  const action = (act: string) => link(`/dashboard/dead-letters/${id}/${act}`);
  return html`<div class="acts">${button({ action: action('resend'), label: 'Send again' })}${button({ action: action('delete'), label: 'Delete', warning: 'Nothing of it is kept.' })}</div>`;
}

function renderJobs({ link }: Viewer, { jobs }: DeadLetter): Content {
  if (jobs.length === 0) return 'unreadable';
  return jobs.map((job) =>
    job.state === null
      ? html`${job.id} <span class="quiet">is not there</span> `
      : html`<a href="${link(`/dashboard/jobs/${job.id}`)}">${job.id}</a> ${state(job.state)} `,
  );
}

function renderBody({ body, bodyBytes }: DeadLetter): Html {
  return html`<code>${body === '' ? 'empty' : body}</code>${bodyBytes > body.length ? html` <span class="quiet">${count(bodyBytes)} bytes</span>` : ''}`;
}

/** The number that the page has told. */
export function readAtMost(fields: URLSearchParams): number | undefined {
  const text = fields.get('atMost') ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
