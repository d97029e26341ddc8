/**
 * Who did what, to what, when, from where, and how it went; found by each of these. Pure.
 */
import { html } from 'hono/html';
import type { AuditEntry, AuditFilter, AuditPage } from '#queue/audit.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { auditRoute } from '../contract/audit.ts';
import type { Page, Viewer } from './frame.ts';
import type { Content, Html } from './html.ts';
import { instant, table, time } from './html.ts';
import { withZone } from './job-filter.ts';
import { renderJson } from './json.ts';

const members = ['who', 'act', 'target', 'after', 'before', 'cursor'] as const;
const tones = { done: 'good', refused: 'warn', failed: 'bad' } as const;
/** The kinds of things that have a page of their own for each. */
const ownPages = ['jobs', 'schedules', 'batches'];
/** The kinds of things whose page shows all of them. */
const commonPages = ['queues', 'types', 'limits', 'workers'];

/** As `GET /v1/audit` takes it; empty fields are as if they were not there. Throws `InvalidInput`. */
export function readAuditFilter(
  query: URLSearchParams,
): AuditFilter & { cursor?: string | undefined; limit: number } {
  const given = Object.fromEntries(
    members.flatMap((name) => {
      const value = withZone(query.get(name) ?? '');
      return value === '' ? [] : [[name, value]];
    }),
  );
  const parsed = auditRoute.request.query.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidInput('invalid_request', 'the filter is wrong', toInputIssues(parsed.error.issues));
}

/** It does not change by itself: somebody reads it, and new entries would move the old ones. */
export function auditPage(viewer: Viewer, { entries, nextCursor }: AuditPage): Page {
  const { link, query } = viewer;
  const filter = Object.fromEntries(members.map((name) => [name, query.get(name) ?? undefined]));
  const older = { ...filter, cursor: nextCursor ?? undefined };
  return {
    title: 'Audit',
    body: html`<form class="card filters" method="get" action="${link('/dashboard/audit')}">${renderFilters(viewer)}</form>
<section class="card"><h2>${query.has('cursor') ? 'Older ones' : 'Newest first'}</h2>${table({
      caption: 'Who did what',
      columns: ['When', 'Who', 'From', 'Act', 'To what', 'Outcome', 'Detail'],
      empty: 'Nobody did such a thing.',
      rows: entries.map((entry) => renderEntry(viewer, entry)),
    })}</section>
<nav class="pages" aria-label="Pages">${query.has('cursor') ? html`<a class="button" href="${link('/dashboard/audit', { ...filter, cursor: undefined })}">Newest</a>` : ''}${nextCursor === null ? '' : html`<a class="button" rel="next" href="${link('/dashboard/audit', older)}">Older</a>`}</nav>`,
  };
}

function renderFilters({ link, query }: Viewer): Content {
  const value = (name: string) => query.get(name) ?? '';
  const text = (name: string, label: string, hint = '') =>
    html`<label>${label}<input name="${name}" value="${value(name)}" placeholder="${hint}"></label>`;
  const at = (name: string, label: string) =>
    html`<label>${label} (UTC)<input type="datetime-local" name="${name}" value="${value(name).replace(/(:\d\d(\.\d+)?)?Z$/, '')}"></label>`;
  return [
    text('who', 'Who (name of the token)'),
    text('act', 'Act', 'jobs, or jobs.cancel'),
    text('target', 'To what (id or name)'),
    at('after', 'From'),
    at('before', 'Before'),
    html`<span class="acts"><button class="primary">Find</button> <a class="button" href="${link('/dashboard/audit')}">Clear</a></span>`,
  ];
}

function renderEntry(viewer: Viewer, entry: AuditEntry): Content[] {
  const { id, at, who, role, address, act, target, outcome, detail } = entry;
  const only = (member: 'who' | 'act', value: string) =>
    html`<a href="${viewer.link('/dashboard/audit', { [member]: value })}">${value}</a>`;
  return [
    html`${instant(at)}<br><span class="quiet">${time(at)}</span>`,
    html`${only('who', who)}<br><span class="quiet">${role}</span>`,
    renderOrigin(address, detail),
    only('act', act),
    target === null ? '–' : renderTarget(viewer, act, target),
    outcome === null
      ? html`<span class="state" title="It is under way, or its process died meanwhile.">not known</span>`
      : html`<span class="state ${tones[outcome]}">${outcome}</span>`,
    html`<details id="detail-${id}"><summary>all of it</summary>${renderJson(detail, `json-${id}`)}</details>`,
  ];
}

/** Behind a proxy the address is the proxy's, and what it says of its client is what anybody may have sent. */
function renderOrigin(address: string | null, detail: object): Content {
  const { forwardedFor } = detail as { forwardedFor?: unknown };
  if (typeof forwardedFor !== 'string') return address ?? '–';
  return html`${address ?? '–'}<br><span class="quiet">forwarded for ${forwardedFor}</span>`;
}

/** It leads to the page of the thing, which may be gone meanwhile. */
function renderTarget({ link }: Viewer, act: string, target: string): Html | string {
  const [kind = ''] = act.split('.');
  if (ownPages.includes(kind))
    return html`<a href="${link(`/dashboard/${kind}/${encodeURIComponent(target)}`)}">${target}</a>`;
  if (!commonPages.includes(kind)) return target;
  return html`<a href="${link(`/dashboard/${kind === 'types' ? 'queues' : kind}`)}">${target}</a>`;
}
