/**
 * Batches, newest first; one batch: how far it is, its jobs by state, close and cancel. Pure.
 */
import { html } from 'hono/html';
import type { Batch, ListedBatch } from '#shared/job/batch.ts';
import { jobStates } from '#shared/job/transitions.ts';
import type { Page, Viewer } from './frame.ts';
import { button, count, facts, linkedCount, state, table, time } from './html.ts';

const REFRESH_SECONDS = 5;

export function batchesPage(
  { link }: Viewer,
  { batches, nextCursor }: { batches: readonly ListedBatch[]; nextCursor: string | null },
): Page {
  return {
    title: 'Batches',
    refreshSeconds: REFRESH_SECONDS,
    body: html`<section class="card">${table({
      caption: 'Batches',
      columns: [
        'Batch',
        'State',
        { title: 'Jobs', isNumber: true },
        { title: 'Discarded', isNumber: true },
        'Created',
        'Ended',
      ],
      empty: 'There is no batch.',
      rows: batches.map(({ id, state: name, open, total, counts, createdAt, finishedAt }) => [
        html`<a href="${link(`/dashboard/batches/${id}`)}">${id}</a>`,
        html`<span class="state ${name}">${name}</span>${open ? html` <span class="quiet">open</span>` : ''}`,
        total === null ? html`<a href="${link('/dashboard/jobs', { batch: id })}">look</a>` : count(total),
        counts === null
          ? '–'
          : linkedCount(counts.discarded ?? 0, link('/dashboard/jobs', { batch: id, state: 'discarded' })),
        time(createdAt),
        time(finishedAt),
      ]),
    })}</section>${nextCursor === null ? '' : html`<nav class="pages" aria-label="Pages"><a class="button" href="${link('/dashboard/batches', { cursor: nextCursor })}">Older</a></nav>`}`,
  };
}

export function batchPage({ link, mayAct }: Viewer, batch: Batch): Page {
  const { id, open, total, counts, done, createdAt, finishedAt } = batch;
  const percent = Math.round(done * 100);
  const action = (act: string) => link(`/dashboard/batches/${id}/${act}`);
  const acts = html`<div class="acts">${open ? button({ action: action('close'), label: 'Close' }) : ''}${button({ action: action('cancel'), label: 'Cancel', warning: 'Its jobs that wait are cancelled, those that run are asked to stop.' })}</div>`;
  return {
    title: `Batch ${id}`,
    refreshSeconds: REFRESH_SECONDS,
    body: html`<div class="title"><span class="state ${batch.state}">${batch.state}</span>${mayAct && finishedAt === null ? acts : ''}</div>
<section class="card"><progress max="100" value="${percent}" aria-label="Jobs that have ended">${percent} %</progress> ${percent} % of ${count(total)} jobs have ended</section>
<div class="grid"><section class="card"><h2>What it is</h2>${facts([
      ['Created', time(createdAt)],
      ['Ended', time(finishedAt)],
      ['Takes more jobs', open ? 'until it is closed' : 'from its own jobs only'],
    ])}</section>
<section class="card"><h2>Its jobs</h2>${table({
      caption: 'Jobs by state',
      columns: ['State', { title: 'Jobs', isNumber: true }],
      empty: 'It has none.',
      rows: jobStates
        .filter((name) => (counts[name] ?? 0) > 0)
        .map((name) => [
          state(name),
          linkedCount(counts[name] ?? 0, link('/dashboard/jobs', { batch: id, state: name })),
        ]),
    })}</section></div>`,
  };
}
