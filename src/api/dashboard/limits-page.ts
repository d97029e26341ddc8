/**
 * Limits: how much of each is in use, who waits, and what it is from now on. Pure.
 */
import { html } from 'hono/html';
import type { LimitOverview } from '#queue/gates/limits.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import type { Limit } from '#shared/job/limit.ts';
import { newLimitSchema, toLimit } from '../contract/limit.ts';
import type { Page, Viewer } from './frame.ts';
import type { Html } from './html.ts';
import { button, count, duration, table } from './html.ts';

const REFRESH_SECONDS = 5;

/** What can be set, by the name of its field. */
const fields = {
  concurrency: 'Jobs at once at most',
  count: 'Starts at most',
  perMs: 'in so many milliseconds',
  burst: 'at once after a pause',
} as const;
type Field = keyof typeof fields;

export function limitsPage(viewer: Viewer, limits: readonly LimitOverview[]): Page {
  const { link, mayAct } = viewer;
  return {
    title: 'Limits',
    refreshSeconds: REFRESH_SECONDS,
    body: html`<section class="card">${table({
      caption: 'Limits',
      columns: ['Limit', 'Jobs at once', 'Starts', { title: 'Waiting', isNumber: true }, 'From'],
      empty: 'There is no limit.',
      rows: limits.map(({ name, concurrency, rate, inUse, waiting, origin }) => [
        name,
        renderUse({ name, concurrency, inUse }),
        rate === null ? 'at any rate' : `${count(rate.count)} in ${duration(rate.perMs)}`,
        waiting === 0
          ? '0'
          : html`<a href="${link('/dashboard/jobs', { state: 'held' })}">${count(waiting)}</a>`,
        origin,
      ]),
    })}</section>${mayAct ? limits.map((limit) => renderForm(viewer, limit)) : ''}`,
  };
}

function renderUse({
  name,
  concurrency,
  inUse,
}: Pick<LimitOverview, 'name' | 'concurrency' | 'inUse'>): Html | string {
  if (concurrency === null) return `${count(inUse)} in use, any number may`;
  return html`<meter min="0" max="${concurrency}" value="${Math.min(inUse, concurrency)}" aria-label="Places of ${name} in use"></meter> ${count(inUse)} of ${count(concurrency)}`;
}

function renderForm({ link }: Viewer, { name, concurrency, rate, origin }: LimitOverview): Html {
  const action = (act: string) => link(`/dashboard/limits/${name}/${act}`);
  const values: Record<Field, number | undefined> = {
    concurrency: concurrency ?? undefined,
    count: rate?.count,
    perMs: rate?.perMs,
    burst: rate?.burst,
  };
  const field = (key: Field) =>
    html`<label>${fields[key]}<input type="number" min="1" name="${key}" value="${values[key] ?? ''}" placeholder="any"></label>`;
  const forget = button({
    action: action('delete'),
    label: 'Forget',
    warning:
      'What was set at run time is forgotten: what an application defines holds again, or nothing is limited by this name.',
  });
  return html`<details class="card" id="limit-${name}"><summary>Change ${name}</summary>
<form class="filters pages" method="post" action="${action('set')}">${(Object.keys(fields) as Field[]).map(field)}<span><button class="primary">Set ${name}</button></span></form>
${origin === 'run time' ? forget : ''}</details>`;
}

/** An empty field is left out. Throws `InvalidInput` in the words of the API. */
export function readLimit(form: URLSearchParams): Limit {
  const read = (key: Field) => form.get(key)?.trim() || undefined;
  const number = (key: Field) => (read(key) === undefined ? undefined : Number(read(key)));
  const rate = { count: number('count'), perMs: number('perMs'), burst: number('burst') };
  const isRated = Object.values(rate).some((value) => value !== undefined);
  const given = { concurrency: number('concurrency'), rate: isRated ? rate : undefined };
  const parsed = newLimitSchema.safeParse(given);
  if (parsed.success) return toLimit(parsed.data);
  const issues = parsed.error.issues.map(({ path, message }) => ({
    detail: message,
    pointer: `/${path.join('/')}`,
  }));
  throw new InvalidInput('invalid_request', 'the limit cannot be set like this', issues);
}
