/**
 * The first page: is the fleet well, and if not, where. Pure.
 */
import { html } from 'hono/html';
import type { QueueOverview } from '#queue/browse.ts';
import type { Overview } from '#queue/overview.ts';
import { CURVE_MINUTES } from '#queue/overview.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { renderChart } from './chart.ts';
import type { Page, Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { count, duration, facts, linkedCount, table } from './html.ts';
import { renderTroubles } from './overview-troubles.ts';

/** It asks for more than any other page, and stays open for longest. */
const REFRESH_SECONDS = 15;
/** Minutes whose mean is the speed of now: the one that runs is left out, it is not full. */
const SPEED_MINUTES = 5;
const MINUTE_MS = 60_000;

export function overviewPage(viewer: Viewer, overview: Overview): Page {
  const now = Date.now();
  return {
    title: 'Overview',
    refreshSeconds: REFRESH_SECONDS,
    body: html`${renderTroubles(viewer, overview)}${renderTiles(viewer, overview, now)}
<section class="card"><h2>The last hour, by minute</h2>${renderChart({ ends: overview.ends, minutes: CURVE_MINUTES, now })}</section>
<section class="card"><h2>Queues</h2>${renderQueues(viewer, overview)}</section>
<div class="grid"><section class="card"><h2>Postgres and RabbitMQ</h2>${renderDrift(overview)}</section>
<section class="card"><h2>Workers</h2>${renderWorkers(viewer, overview)}</section></div>`,
  };
}

function total(queues: readonly QueueOverview[], ...states: JobState[]): number {
  return queues.reduce((sum, { counts }) => sum + states.reduce((part, state) => part + counts[state], 0), 0);
}

function renderTiles({ link }: Viewer, { queues, ends, workers }: Overview, now: number): Html {
  const waiting = total(queues, 'available', 'held');
  const oldest = Math.max(...queues.map(({ oldestAvailableSeconds }) => oldestAvailableSeconds ?? -1));
  const perMinute = speed(ends, now);
  const drain = perMinute === 0 ? 'nothing ends' : duration((waiting / perMinute) * MINUTE_MS);
  const jobs = (state: JobState | JobState[]) => link('/dashboard/jobs', { state });
  return html`<dl class="tiles">
<div><dt>Waiting</dt><dd>${linkedCount(waiting, jobs(['available', 'held']))}<small>${waiting === 0 ? 'nothing waits' : oldest < 0 ? 'none of them can run yet' : `the oldest for ${duration(oldest * 1_000)}`}</small></dd></div>
<div><dt>Running</dt><dd>${linkedCount(total(queues, 'running'), jobs('running'))}<small>of ${count(workers.slots)} at once</small></dd></div>
<div><dt>For later</dt><dd>${linkedCount(total(queues, 'scheduled'), jobs('scheduled'))}</dd></div>
<div><dt>To be retried</dt><dd>${linkedCount(total(queues, 'retryable'), jobs('retryable'))}</dd></div>
<div><dt>Discarded</dt><dd>${linkedCount(total(queues, 'discarded'), jobs('discarded'))}<small>have failed for good</small></dd></div>
<div><dt>Completed in a minute</dt><dd>${count(Math.round(perMinute))}<small>${waiting === 0 ? `mean of ${SPEED_MINUTES} minutes` : `time to drain: ${drain}`}</small></dd></div>
</dl>`;
}

function speed(ends: Overview['ends'], now: number): number {
  const to = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const from = to - SPEED_MINUTES * MINUTE_MS;
  const within = ends.filter(({ at }) => at.getTime() >= from && at.getTime() < to);
  return within.reduce((sum, { completed }) => sum + completed, 0) / SPEED_MINUTES;
}

function renderQueues({ link }: Viewer, { queues }: Overview): Html {
  const number = (title: string) => ({ title, isNumber: true });
  return table({
    caption: 'Queues',
    columns: [
      'Queue',
      number('Waiting'),
      number('Oldest'),
      number('Running'),
      number('For later'),
      number('To be retried'),
      number('Discarded'),
      number('Completed'),
    ],
    empty: 'There is no queue.',
    rows: queues.map(({ name: queue, paused, counts, oldestAvailableSeconds: oldest }) => {
      const cell = (...state: JobState[]) =>
        linkedCount(
          state.reduce((sum, each) => sum + counts[each], 0),
          link('/dashboard/jobs', { state, queue }),
        );
      return [
        html`<a href="${link('/dashboard/jobs', { queue })}">${queue}</a>${paused ? html` <span class="warn">paused</span>` : ''}`,
        cell('available', 'held'),
        oldest === null ? '–' : duration(oldest * 1_000),
        cell('running'),
        cell('scheduled'),
        cell('retryable'),
        cell('discarded'),
        cell('completed'),
      ];
    }),
  });
}

/** The two servers beside each other: where they drift apart, the relay and the reconciler mend it. */
function renderDrift(overview: Overview): Html {
  const { queues, rabbitmq, messages, deadLetters, unpublished } = overview;
  const well = (isWell: boolean, text: string) =>
    html`<span class="state ${isWell ? 'good' : 'bad'}">${text}</span>`;
  const inRabbitmq = messages && Object.values(messages).reduce((sum, ready) => sum + ready, 0);
  const consumers = queues.reduce<number | null>(
    (sum, queue) => (queue.consumers === null ? sum : (sum ?? 0) + queue.consumers),
    null,
  );
  const rows: [string, Content, Content][] = [
    [
      'State',
      well(true, 'answers'),
      well(rabbitmq.ok, rabbitmq.ok ? (rabbitmq.detail ?? 'connected') : (rabbitmq.detail ?? 'away')),
    ],
    [
      'Waiting',
      `${count(total(queues, 'available'))} jobs`,
      inRabbitmq === null ? '–' : `${count(inRabbitmq)} messages, each of 1 to 16 jobs`,
    ],
    [
      'Under way',
      `${count(total(queues, 'running'))} jobs run`,
      consumers === null ? '–' : `${count(consumers)} consumers`,
    ],
    [
      'Apart',
      `${count(unpublished)} jobs wait to be published`,
      deadLetters === null ? '–' : `${count(deadLetters)} dead letters`,
    ],
  ];
  return html`${table({
    caption: 'Postgres beside RabbitMQ',
    columns: [' ', 'Postgres', 'RabbitMQ'],
    empty: '',
    rows,
  })}<p class="quiet">${renderLane(overview)}</p>`;
}

/** As the workers tell it: each decides for itself. */
function renderLane({ workers: { states, onPostgres } }: Overview): string {
  const living = states.working + states.draining;
  if (living === 0) return 'No worker is there that takes jobs.';
  if (onPostgres === 0) return 'Jobs come to the workers by message.';
  const who = onPostgres === living ? 'the workers' : `${count(onPostgres)} of ${count(living)} workers`;
  return `Jobs come to ${who} straight from Postgres.`;
}

function renderWorkers({ link }: Viewer, { workers }: Overview): Html {
  const { states, slots, versions, isLed } = workers;
  const all = states.working + states.draining + states.silent;
  const one = (name: keyof typeof states, tone: string): Content =>
    states[name] === 0 ? '' : html`<span class="state ${tone}">${count(states[name])} ${name}</span> `;
  return facts([
    ['There', linkedCount(all, link('/dashboard/workers'))],
    ['State', [one('working', 'good'), one('draining', 'warn'), one('silent', 'bad')]],
    ['Jobs at once', count(slots)],
    [
      Object.keys(versions).length > 1 ? 'Versions' : 'Version',
      Object.entries(versions).map(
        ([version, number]) => html`${version} <span class="quiet">× ${count(number)}</span> `,
      ),
    ],
    ['Maintenance', isLed ? 'one of them leads' : html`<span class="bad">none leads</span>`],
  ]);
}
