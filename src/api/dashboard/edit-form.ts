/**
 * The form by which a job that waits is changed. Its arguments are left to the API: what the page shows of them may have been hidden.
 */
import { html } from 'hono/html';
import type { GivenJobChanges } from '#queue/enqueue-options.ts';
import type { Job } from '#shared/job/job.ts';
import type { Viewer } from './frame.ts';
import type { Html } from './html.ts';

export function renderEdit({ link }: Viewer, job: Job, queues: readonly string[]): Html {
  const option = (value: string, chosen: string) =>
    html`<option${value === chosen ? html` selected` : ''}>${value}</option>`;
  const all = queues.includes(job.queue) ? queues : [job.queue, ...queues];
  return html`<details class="card" id="change"><summary>Change it</summary>
<form class="filters pages" method="post" action="${link(`/dashboard/jobs/${job.id}/edit`)}">
<label>Queue<select name="queue">${all.map((name) => option(name, job.queue))}</select></label>
<label>Priority<select name="priority">${Array.from({ length: 10 }, (_, value) => option(String(value), String(job.priority)))}</select></label>
<label>Attempts in all<input type="number" name="maxAttempts" min="1" value="${job.maxAttempts}"></label>
<label>Run at (UTC)<input type="datetime-local" step="1" name="runAt"></label>
<span><button class="primary">Change</button></span></form></details>`;
}

/** What is as it was is left out. The use case checks the rest. */
export function readChanges(fields: URLSearchParams, job: Job): GivenJobChanges {
  const changes: Record<string, string | number> = {};
  const queue = fields.get('queue');
  const priority = fields.get('priority');
  const maxAttempts = fields.get('maxAttempts');
  const runAt = fields.get('runAt');
  if (queue && queue !== job.queue) changes['queue'] = queue;
  if (priority && Number(priority) !== job.priority) changes['priority'] = Number(priority);
  if (maxAttempts && Number(maxAttempts) !== job.maxAttempts) changes['maxAttempts'] = Number(maxAttempts);
  if (runAt) changes['runAt'] = /Z$/.test(runAt) ? runAt : `${runAt}Z`;
  return changes;
}
