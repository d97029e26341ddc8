/**
 * The frame of every page of the dashboard: head, navigation, who looks, what was done last. Pure.
 *
 * Guarantees: every address in it is relative, so that it works below any path; a page carries no script and no style of its own.
 */
import { html } from 'hono/html';
import type { Identity } from '../access/roles.ts';
import { allows } from '../access/roles.ts';
import { rootFrom } from '../relative-path.ts';
import { assetVersion } from './assets.ts';
import type { Content } from './html.ts';

/** What a page knows of the request that asks for it. */
export interface Viewer {
  identity: Identity;
  /** Buttons are shown: the role suffices to press them. */
  mayAct: boolean;
  /** Who did what may be seen. */
  mayAudit: boolean;
  /** Tokens are asked for: one can sign out. */
  isLocked: boolean;
  /** The page that is shown, as `/dashboard/jobs`. */
  path: string;
  query: URLSearchParams;
  /** The address of a page of ours, `/dashboard/jobs` say, as it stands in a link of this page. */
  link(path: string, query?: Query): string;
}

export type Query = Readonly<Record<string, string | readonly string[] | number | undefined>>;

export function viewerOf({
  identity,
  isLocked,
  path,
  search,
}: {
  identity: Identity;
  isLocked: boolean;
  path: string;
  search: string;
}): Viewer {
  const root = rootFrom(path);
  return {
    identity,
    mayAct: allows(identity.role, 'operator'),
    mayAudit: allows(identity.role, 'admin'),
    isLocked,
    path,
    query: new URLSearchParams(search),
    link: (to, query = {}) => root + to.slice(1) + toSearch(query),
  };
}

/** What is undefined is left out. */
export function toSearch(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((each): [string, string] => [name, String(each)]),
  );
  const text = new URLSearchParams(pairs).toString();
  return text === '' ? '' : `?${text}`;
}

export interface Page {
  title: string;
  /** What stands beside the title: acts on the whole page. */
  acts?: Content;
  body: Content;
  /** The script asks for the page again every so many seconds. Defaults to never. */
  refreshSeconds?: number;
  /** The script asks for it again when something happens to this job. */
  watchedJob?: string;
}

const sections = [
  ['', 'Overview', 'o'],
  ['/jobs', 'Jobs', 'j'],
  ['/queues', 'Queues', 'q'],
  ['/schedules', 'Schedules', 's'],
  ['/batches', 'Batches', 'b'],
  ['/limits', 'Limits', 'l'],
  ['/workers', 'Workers', 'w'],
  ['/audit', 'Audit', 'a'],
  ['/dead-letters', 'Dead letters', 'd'],
] as const;

/** What was done, by the word in the address to which an act leads back. Any other word is ignored: a link must not put words into our mouth. */
const notices: ReadonlyMap<string, string> = new Map(
  Object.entries({
    cancelled: 'The job is cancelled, or asked to stop where it runs.',
    retried: 'The job runs again.',
    run: 'The job runs as soon as a worker has room.',
    changed: 'The job is changed.',
    deleted: 'The job is deleted.',
    acted: 'It is done to all that were chosen.',
    paused: 'Paused: what runs goes on, nothing new starts.',
    resumed: 'Resumed.',
    set: 'The settings are stored, and the workers are told.',
    enqueued: 'This job was enqueued for it.',
    drained: 'What waited is cancelled, unless a great many did: then drain again.',
    draining: 'The worker takes no more jobs, and ends when those that it runs have.',
    closed: 'The batch takes no more jobs.',
    forgotten: 'What was set here is forgotten: what an application defines holds again.',
    'sent-again': 'Sent again: what a worker still cannot use comes back within some seconds.',
    'letters-deleted': 'Deleted.',
    'batch-cancelled': 'Its jobs that waited are cancelled; those that run are asked to stop.',
  }),
);

export async function renderPage(viewer: Viewer, page: Page): Promise<string> {
  const { link, query, mayAudit } = viewer;
  const shown = sections.filter(([at]) => mayAudit || at !== '/audit');
  const notice = notices.get(query.get('done') ?? '');
  const asset = (name: string) => link(`/dashboard/${name}`, { v: assetVersion });
  const text = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · Warren</title>
<link rel="stylesheet" href="${asset('style.css')}">
<script src="${asset('script.js')}" defer></script>
</head>
<body${page.refreshSeconds === undefined ? '' : html` data-refresh="${page.refreshSeconds}"`}${page.watchedJob === undefined ? '' : html` data-watch="${link('/v1/events', { job: page.watchedJob })}"`}>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="${link('/dashboard')}">Warren</a>
<nav aria-label="Sections">${shown.map(([at, title, key]) => renderSection({ viewer, at: `/dashboard${at}`, title, key }))}</nav>
<span class="who">${viewer.isLocked ? html`<span title="the token ${viewer.identity.name}">${viewer.identity.role}</span> <a href="${link('/sign-in')}">Sign out</a>` : 'no sign-in'}</span>
</header>
<main id="main" tabindex="-1">
<div class="title"><h1>${page.title}</h1>${page.acts ?? ''}</div>
${notice === undefined ? '' : html`<p class="notice" role="status">${notice}</p>`}
<div id="live">${page.body}</div>
</main>
<footer><span id="liveness" role="status">${page.refreshSeconds === undefined && page.watchedJob === undefined ? '' : html`<noscript>Reload the page to see what has changed.</noscript>`}</span> <a href="${link('/docs')}">API</a> <span class="keys">Press <kbd>?</kbd> for keys</span></footer>
<dialog id="keys" aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>
<dl class="facts">${shown.map(([, title, key]) => html`<div><dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${title}</dd></div>`)}
<div><dt><kbd>/</kbd></dt><dd>Search jobs</dd></div><div><dt><kbd>r</kbd></dt><dd>Reload</dd></div><div><dt><kbd>?</kbd></dt><dd>This list</dd></div></dl>
<form method="dialog"><button>Close</button></form></dialog>
</body>
</html>
`;
  return String(text);
}

function renderSection({
  viewer,
  at,
  title,
  key,
}: {
  viewer: Viewer;
  at: string;
  title: string;
  key: string;
}) {
  const isHere = at === '/dashboard' ? viewer.path === at : viewer.path.startsWith(at);
  return html`<a href="${viewer.link(at)}" data-key="${key}"${isHere ? html` aria-current="page"` : ''}>${title}</a>`;
}
