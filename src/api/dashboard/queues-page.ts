/**
 * Queues and job types: what is in each, what is set for it, pause and resume, drain. Pure.
 */
import { html } from 'hono/html';
import type { QueueOverview } from '#queue/browse.ts';
import type { TypeControl } from '#queue/type-control.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import type { Page, Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { button, count, duration, linkedCount, table } from './html.ts';

const REFRESH_SECONDS = 5;

type TypeOverview = Awaited<ReturnType<TypeControl['list']>>[number];

/** What can be set for a queue. */
export const queueSettings = ['channels', 'prefetch', 'maxDepth'] as const;
export type QueueSetting = (typeof queueSettings)[number];

const labels: Record<QueueSetting, string> = {
  channels: 'Channels of each worker',
  prefetch: 'Jobs of each channel at once',
  maxDepth: 'Jobs that may wait at most',
};

export interface QueuesPage {
  queues: readonly QueueOverview[];
  types: readonly TypeOverview[];
}

export function queuesPage(viewer: Viewer, { queues, types }: QueuesPage): Page {
  return {
    title: 'Queues',
    refreshSeconds: REFRESH_SECONDS,
    body: html`${queues.map((queue) => renderQueue(viewer, queue))}
<section class="card" id="types"><h2>Job types</h2>${renderTypes(viewer, types)}</section>`,
  };
}

function renderQueue(viewer: Viewer, queue: QueueOverview): Html {
  const { link, mayAct, mayAudit } = viewer;
  const { name, paused, counts, oldestAvailableSeconds: oldest, consumers } = queue;
  const jobs = (state: keyof QueueOverview['counts']) =>
    linkedCount(counts[state], link('/dashboard/jobs', { state, queue: name }));
  return html`<section class="card" id="queue-${name}"><div class="title inner"><h2><a href="${link('/dashboard/jobs', { queue: name })}">${name}</a></h2>
<span class="state ${paused ? 'warn' : 'good'}">${paused ? 'paused' : 'runs'}</span>${mayAct ? renderActs(viewer, queue) : ''}</div>
<dl class="facts narrow"><div><dt>Can run</dt><dd>${jobs('available')}</dd></div><div><dt>Held</dt><dd>${jobs('held')}</dd></div><div><dt>Oldest</dt><dd>${oldest === null ? '–' : duration(oldest * 1_000)}</dd></div>
<div><dt>Running</dt><dd>${jobs('running')}</dd></div><div><dt>For later</dt><dd>${jobs('scheduled')}</dd></div><div><dt>To be retried</dt><dd>${jobs('retryable')}</dd></div><div><dt>Discarded</dt><dd>${jobs('discarded')}</dd></div><div><dt>Consumers</dt><dd>${consumers === null ? '–' : count(consumers)}</dd></div></dl>
${mayAct ? renderSettings(viewer, queue) : html`<p class="quiet">${queueSettings.map((setting) => `${labels[setting]}: ${queue[setting] ?? 'as the programs say'}. `)}</p>`}${mayAudit ? html`<p class="quiet"><a href="${link('/dashboard/audit', { act: 'queues', target: name })}">Who did what</a></p>` : ''}</section>`;
}

function renderActs({ link }: Viewer, { name, paused, counts }: QueueOverview): Html {
  const action = (act: string) => link(`/dashboard/queues/${name}/${act}`);
  const waiting = counts.available + counts.held + counts.scheduled + counts.retryable;
  return html`<div class="acts">${paused ? button({ action: action('resume'), label: 'Resume' }) : button({ action: action('pause'), label: 'Pause' })}
${waiting === 0 ? '' : button({ action: action('drain'), label: 'Drain', warning: `The ${count(waiting)} jobs that wait in ${name} are cancelled. Those that run are left.` })}</div>`;
}

function renderSettings({ link }: Viewer, queue: QueueOverview): Html {
  const field = (setting: QueueSetting) =>
    html`<label>${labels[setting]}<input type="number" min="1" name="${setting}" value="${queue[setting] ?? ''}" placeholder="as the programs say"></label>`;
  return html`<details id="settings-${queue.name}"><summary>Settings</summary><form class="filters pages" method="post" action="${link(`/dashboard/queues/${queue.name}/set`)}">${queueSettings.map(field)}<span><button class="primary">Set</button></span></form></details>`;
}

function renderTypes({ link, mayAct }: Viewer, types: readonly TypeOverview[]): Html {
  const act = (type: string, paused: boolean): Content =>
    button({
      action: link(`/dashboard/types/${encodeURIComponent(type)}/${paused ? 'resume' : 'pause'}`),
      label: paused ? 'Resume' : 'Pause',
    });
  return table({
    caption: 'Job types',
    columns: ['Type', 'State', ...(mayAct ? ['Act'] : [])],
    empty: 'No program has told of a job type yet.',
    rows: types.map(({ type, paused }) => [
      html`<a href="${link('/dashboard/jobs', { type })}">${type}</a>`,
      html`<span class="state ${paused ? 'warn' : 'good'}">${paused ? 'paused' : 'runs'}</span>`,
      ...(mayAct ? [act(type, paused)] : []),
    ]),
  });
}

/** An empty field is null: as the programs say. Throws `InvalidInput`. */
export function readSettings(fields: URLSearchParams): Record<QueueSetting, number | null> {
  const read = (setting: QueueSetting): number | null => {
    const text = fields.get(setting)?.trim() ?? '';
    if (text === '') return null;
    if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
    throw new InvalidInput('invalid_request', `${labels[setting]}: not a whole number from 1 on`);
  };
  return { channels: read('channels'), prefetch: read('prefetch'), maxDepth: read('maxDepth') };
}
