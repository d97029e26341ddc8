/**
 * What a person should look at, on top of the first page: what is wrong, for whom, since when, each with the page where it is mended. Pure.
 */
import { html } from 'hono/html';
import type { Overview } from '#queue/overview.ts';
import type { Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { count, duration, time } from './html.ts';

/** From then on a job that could run waits for long. */
const LONG_SECONDS = 60;

export function renderTroubles(viewer: Viewer, overview: Overview): Html {
  const troubles = [
    ...tellServers(viewer, overview),
    ...tellFailing(viewer, overview),
    ...tellPaused(viewer, overview),
    ...tellWaiting(viewer, overview),
    ...tellDeadLetters(viewer, overview),
  ];
  return html`${troubles.map((trouble) => html`<p class="notice bad-news">${trouble}</p>`)}`;
}

function tellServers({ link }: Viewer, { rabbitmq, workers }: Overview): Content[] {
  return [
    workers.states.working === 0
      ? html`<strong>No worker takes jobs.</strong> <a href="${link('/dashboard/workers')}">Workers</a>`
      : undefined,
    rabbitmq.ok
      ? undefined
      : html`<strong>RabbitMQ: ${rabbitmq.detail ?? 'away'}.</strong> Workers take jobs straight from Postgres meanwhile.`,
  ].filter((trouble) => trouble !== undefined);
}

function tellFailing({ link }: Viewer, { failing }: Overview): Content[] {
  return failing.map(
    ({ queue, type, jobs, since }) =>
      html`<strong>${type} fails</strong> in the queue ${queue}, since ${time(since)}: <a href="${link('/dashboard/jobs', { state: ['discarded', 'retryable'], queue, type })}">${count(jobs)} jobs</a> did not come through. <a href="${link('/dashboard/queues')}">Pause it</a>`,
  );
}

function tellPaused({ link }: Viewer, { queues, pausedTypes }: Overview): Content[] {
  const paused = queues.filter((queue) => queue.paused);
  return [
    ...paused.map(
      ({ name, counts }) =>
        html`<strong>The queue ${name} is paused</strong>, and ${count(counts.available + counts.held)} jobs wait in it. <a href="${link('/dashboard/queues')}">Queues</a>`,
    ),
    ...pausedTypes.map(
      (type) =>
        html`<strong>The type ${type} is paused.</strong> <a href="${link('/dashboard/jobs', { state: ['available', 'held'], type })}">Its jobs that wait</a>, <a href="${link('/dashboard/queues')}">types</a>`,
    ),
  ];
}

function tellWaiting({ link }: Viewer, { queues, workers }: Overview): Content[] {
  const unknown = queues.flatMap(({ name, unknownTypes }) =>
    unknownTypes.map(
      ({ type, jobs, since }) =>
        html`<strong>No living worker runs ${type}</strong> in the queue ${name}, since ${time(since)}: <a href="${link('/dashboard/jobs', { state: 'available', queue: name, type })}">${count(jobs)} jobs wait</a>.`,
    ),
  );
  const late =
    workers.states.working === 0
      ? []
      : queues.filter(
          ({ paused, oldestAvailableSeconds: oldest }) => !paused && (oldest ?? 0) > LONG_SECONDS,
        );
  return [
    ...unknown,
    ...late.map(
      ({ name, counts, oldestAvailableSeconds: oldest }) =>
        html`<strong>Jobs wait in ${name}</strong>: <a href="${link('/dashboard/jobs', { state: 'available', queue: name })}">${count(counts.available)}</a>, the oldest for ${duration((oldest ?? 0) * 1_000)}; ${count(counts.running)} run. <a href="${link('/dashboard/workers')}">Workers</a>, <a href="${link('/dashboard/queues')}">queues</a>`,
    ),
  ];
}

function tellDeadLetters({ link }: Viewer, { deadLetters }: Overview): Content[] {
  if (deadLetters === null || deadLetters === 0) return [];
  return [
    html`<strong>${count(deadLetters)} dead letters</strong>: messages that no worker could use. No job is lost by them. <a href="${link('/dashboard/dead-letters')}">Dead letters</a>`,
  ];
}
