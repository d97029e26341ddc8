/**
 * The one script of the dashboard: it shows what has changed, keeps "3 s ago" true, and knows keys. Everything else works without it. Data only.
 *
 * A page asks for itself again and puts the new content in the place of the old, so that what is shown has one maker, the server. The page of one job hears of
 * its changes (server-sent events) and asks then; pages of many jobs ask every few seconds while somebody looks: an event of every job that happens anywhere
 * would be a row in Postgres for each.
 */
export const script = `'use strict';
const live = document.getElementById('live');
const liveness = document.getElementById('liveness');
const refreshSeconds = Number(document.body.dataset.refresh ?? 0);
const watched = document.body.dataset.watch;

function isBusy() {
  const active = document.activeElement;
  return (live.contains(active) && active.matches('input, select, textarea')) || live.querySelector('.confirm[open], input[name=id]:checked') !== null;
}

/* Without the words of the times, which change by themselves. */
const textOf = (element) => element.innerHTML.replace(/(<time[^>]*>)[^<]*/g, '$1');
let shown = textOf(live);
let asking = false;
async function refresh() {
  if (asking || document.hidden || isBusy()) return;
  asking = true;
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    const next = page.getElementById('live');
    if (response.redirected || next === null) throw new Error('another page');
    if (response.ok && textOf(next) !== shown && !isBusy()) show(next);
    liveness.textContent = response.ok ? 'Live' : 'Not up to date: ' + (page.querySelector('h1')?.textContent ?? response.status);
  } catch {
    liveness.textContent = 'Not up to date: the server cannot be reached';
  } finally {
    asking = false;
  }
}

function show(next) {
  shown = textOf(next);
  const open = new Set([...live.querySelectorAll('details[open][id]')].map(({ id }) => id));
  const focused = document.activeElement?.closest('#live [id]')?.id;
  for (const details of next.querySelectorAll('details[id]')) if (open.has(details.id)) details.open = true;
  const scrolled = new Map([...live.querySelectorAll('.logs')].map((logs) => [logs.id, logs.scrollTop]));
  live.replaceChildren(...next.childNodes);
  for (const [id, top] of scrolled) { const logs = document.getElementById(id); if (logs) logs.scrollTop = top; }
  if (focused) document.getElementById(focused)?.focus();
  tick();
}

function duration(ms) {
  const s = ms / 1000;
  const two = (large, unit, small, smallUnit) => small === 0 ? large + ' ' + unit : large + ' ' + unit + ' ' + small + ' ' + smallUnit;
  if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + ' s';
  const w = Math.round(s);
  if (w < 3600) return two(Math.floor(w / 60), 'min', w % 60, 's');
  if (w < 86400) return two(Math.floor(w / 3600), 'h', Math.floor(w % 3600 / 60), 'min');
  return two(Math.floor(w / 86400), 'd', Math.floor(w % 86400 / 3600), 'h');
}

function tick() {
  for (const time of document.querySelectorAll('time[datetime]:not([data-exact])')) {
    const ms = Date.now() - Date.parse(time.dateTime);
    const text = Math.abs(ms) < 1000 ? 'now' : ms > 0 ? duration(ms) + ' ago' : 'in ' + duration(-ms);
    if (time.textContent !== text) time.textContent = text;
  }
}

function wait(ms) { return new Promise((resolve) => setTimeout(resolve, ms)); }

if (refreshSeconds > 0) (async () => { for (;;) { await wait(refreshSeconds * 1000); await refresh(); } })();
(async () => { for (;;) { tick(); await wait(1000); } })();
document.addEventListener('visibilitychange', () => { if (refreshSeconds > 0 || watched) refresh(); });

if (watched) {
  let changed = false;
  let wake = () => {};
  const soon = () => { changed = true; wake(); };
  const source = new EventSource(watched);
  for (const kind of ['ready', 'reset', 'job.enqueued', 'job.started', 'job.progressed', 'job.logged', 'job.failed', 'job.waiting', 'job.ended']) source.addEventListener(kind, soon);
  source.onopen = () => { liveness.textContent = 'Live'; };
  source.onerror = () => { liveness.textContent = 'Not up to date: waiting for the server'; };
  (async () => {
    for (;;) {
      if (!changed) await new Promise((resolve) => { wake = resolve; });
      changed = false;
      await refresh();
      await wait(500);
    }
  })();
}

document.addEventListener('change', ({ target }) => {
  if (target.id === 'all') for (const box of document.querySelectorAll('input[name=id]')) box.checked = target.checked;
});

let after = '';
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea')) return;
  const keys = document.getElementById('keys');
  if (event.key === '?') { if (keys.open) keys.close(); else keys.showModal(); }
  else if (after === 'g') document.querySelector('nav a[data-key="' + CSS.escape(event.key) + '"]')?.click();
  else if (event.key === 'r') location.reload();
  else if (event.key === '/') {
    const search = document.querySelector('input[type=search]');
    event.preventDefault();
    if (search) search.focus(); else document.querySelector('nav a[data-key=j]').click();
  }
  after = event.key;
});
`;
