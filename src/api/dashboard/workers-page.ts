/**
 * Workers: who is there, what each runs, how it is; one is asked to end. Pure.
 */
import { html } from 'hono/html';
import type { WorkerOverview } from '#queue/workers.ts';
import type { Page, Viewer } from './frame.ts';
import { button, count, duration, table, time } from './html.ts';

const REFRESH_SECONDS = 5;
const MEBIBYTE = 1_048_576;
const tones = { working: 'good', draining: 'warn', silent: 'bad' } as const;
const LATE_LOOP_MS = 200;

export function workersPage({ link, mayAct }: Viewer, workers: readonly WorkerOverview[]): Page {
  return {
    title: 'Workers',
    refreshSeconds: REFRESH_SECONDS,
    body: html`<section class="card">${table({
      caption: 'Workers',
      columns: [
        'Worker',
        'State',
        'Queues',
        { title: 'Runs', isNumber: true },
        'What it runs now',
        { title: 'Memory', isNumber: true },
        { title: 'Loop delay', isNumber: true },
        'Since',
        ...(mayAct ? ['Act'] : []),
      ],
      empty: 'No worker has been heard of within a minute.',
      rows: workers.map((worker) => {
        const { id, name, app, version, isLeader, slots, running, jobs, memoryBytes, loopDelayMs } = worker;
        const allSlots = Object.values(slots).reduce((sum, each) => sum + each, 0);
        const isLate = loopDelayMs !== null && loopDelayMs > LATE_LOOP_MS;
        return [
          html`${name}<br><span class="quiet">${app ?? ''} ${version ?? ''}${isLeader ? ', leads' : ''}</span>`,
          html`<span class="state ${tones[worker.state]}">${worker.state}</span>${worker.lane === 'postgres' ? html`<br><span class="warn">straight from Postgres</span>` : ''}`,
          Object.keys(slots).join(', '),
          `${count(running)} of ${count(allSlots)}`,
          jobs.map(
            (job) =>
              html`<a href="${link(`/dashboard/jobs/${job.id}`)}">${job.type} ${job.id}</a> <span class="quiet">${time(job.startedAt)}</span><br>`,
          ),
          memoryBytes === null ? '–' : `${count(Math.round(memoryBytes / MEBIBYTE))} MiB`,
          loopDelayMs === null
            ? '–'
            : html`<span class="${isLate ? 'bad' : ''}">${duration(loopDelayMs)}</span>`,
          time(worker.startedAt),
          ...(mayAct
            ? [worker.state === 'working' ? renderDrain(link(`/dashboard/workers/${id}/drain`)) : '']
            : []),
        ];
      }),
    })}</section>`,
  };
}

function renderDrain(action: string) {
  return button({
    action,
    label: 'Drain',
    warning:
      'It finishes what it runs, takes nothing more and ends. Whoever has started it may start it again.',
  });
}
