/**
 * Schedules: when each comes next, what became of its last ticks, run now, pause and resume. Pure.
 */
import { html } from 'hono/html';
import type { Schedule, Tick } from '#shared/job/schedule.ts';
import type { Page, Viewer } from './frame.ts';
import { toSearch } from './frame.ts';
import type { Content, Html } from './html.ts';
import { button, duration, facts, instant, table, time } from './html.ts';
import { renderJson } from './json.ts';

const REFRESH_SECONDS = 10;

export function schedulesPage(
  viewer: Viewer,
  { schedules, nextCursor }: { schedules: readonly Schedule[]; nextCursor: string | null },
): Page {
  const { link, mayAct } = viewer;
  return {
    title: 'Schedules',
    refreshSeconds: REFRESH_SECONDS,
    body: html`<section class="card">${table({
      caption: 'Schedules',
      columns: ['Schedule', 'When', 'Job', 'Next', 'Last', ...(mayAct ? ['Act'] : [])],
      empty: 'There is no schedule.',
      rows: schedules.map((schedule) => [
        html`<a href="${link(`/dashboard/schedules/${schedule.name}`)}">${schedule.name}</a>`,
        tellTiming(schedule),
        schedule.type,
        schedule.paused ? html`<span class="state warn">paused</span>` : time(schedule.next[0] ?? null),
        schedule.lastTick === null ? '–' : renderTick(viewer, schedule.lastTick),
        ...(mayAct ? [renderActs(viewer, schedule)] : []),
      ]),
    })}</section>${nextCursor === null ? '' : html`<nav class="pages" aria-label="Pages"><a class="button" href="${link('/dashboard/schedules', { cursor: nextCursor })}">More</a></nav>`}`,
  };
}

export interface SchedulePage {
  schedule: Schedule;
  history: { ticks: readonly Tick[]; nextCursor: string | null };
  /** As they may be shown. */
  args: unknown;
}

export function schedulePage(viewer: Viewer, { schedule, history, args }: SchedulePage): Page {
  const next = history.nextCursor;
  return {
    title: schedule.name,
    refreshSeconds: REFRESH_SECONDS,
    body: html`<div class="title"><span class="state ${schedule.paused ? 'warn' : 'good'}">${schedule.paused ? 'paused' : 'runs'}</span>${viewer.mayAct ? renderActs(viewer, schedule) : ''}</div>
<div class="grid"><section class="card"><h2>What it is</h2>${facts([
      ['When', tellTiming(schedule)],
      ['Job', schedule.type],
      ['If the job before still runs', schedule.overlap],
      ['Ticks of an outage', schedule.catchUp],
      ...(viewer.mayAudit ? [['Acts', auditLink(viewer, schedule.name)] as const] : []),
      ['Defined', schedule.definedInCode ? `by the code of ${schedule.app}` : 'at run time'],
    ])}<h2 class="second">Arguments</h2>${renderJson(args, 'args')}</section>
<section class="card"><h2>Next</h2><ol>${schedule.next.map((at) => html`<li>${instant(at)} <span class="quiet">${time(at)}</span></li>`)}</ol></section></div>
<section class="card"><h2>What became of its ticks</h2>${table({
      caption: 'Ticks',
      columns: ['Tick', 'Outcome', 'Decided'],
      empty: 'None was decided yet.',
      rows: history.ticks.map((tick) => [instant(tick.at), renderTick(viewer, tick), time(tick.decidedAt)]),
    })}${next === null ? '' : html`<p><a class="button" href="${viewer.link(`/dashboard/schedules/${schedule.name}`)}${toSearch({ cursor: next })}">Older</a></p>`}</section>`,
  };
}

function auditLink({ link }: Viewer, target: string): Html {
  return html`<a href="${link('/dashboard/audit', { act: 'schedules', target })}">who did what</a>`;
}

function renderActs({ link }: Viewer, { name, paused }: Schedule): Html {
  const action = (act: string) => link(`/dashboard/schedules/${name}/${act}`);
  return html`<div class="acts">${button({ action: action('run'), label: 'Run now' })}${paused ? button({ action: action('resume'), label: 'Resume' }) : button({ action: action('pause'), label: 'Pause' })}</div>`;
}

function renderTick({ link }: Viewer, { outcome, reason, jobId, at }: Tick): Content {
  const told = reason === null ? outcome : `${outcome}: ${reason}`;
  const tone = outcome === 'missed' ? 'bad' : outcome === 'skipped' ? 'warn' : 'good';
  const job = jobId === null ? '' : html` <a href="${link(`/dashboard/jobs/${jobId}`)}">job ${jobId}</a>`;
  return html`<span class="state ${tone}">${told}</span>${job} <span class="quiet">${time(at)}</span>`;
}

function tellTiming({ cron, everyMs, at, timezone }: Schedule): Content {
  if (cron !== null) return html`<code>${cron}</code> <span class="quiet">${timezone}</span>`;
  if (everyMs !== null) return `every ${duration(everyMs)}`;
  return at === null ? '–' : html`once, ${instant(at)}`;
}
