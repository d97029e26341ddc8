// `npm run bench:scale-out`: drives load against the API of a cluster, shows the fleet following it, and writes down what was seen.
// `--help` names the options; docs/scale-out.md tells how to read it. Exit code 0 when the results are written, 2 for wrong options.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readEnvironment } from '../../dev/environment.ts';
import { failureMessage, handleStopSignals } from '../../dev/stop-signals.ts';
import { Cluster, loadKubeConfig } from '../../src/cli/cluster/cluster.ts';
import { drawPlot } from '../report/plot.ts';
import { Course } from './course.ts';
import { Display } from './display.ts';
import { Load } from './load.ts';
import type { ScaleOutOptions } from './options.ts';
import { helpText, parseOptions } from './options.ts';
import { findReactions } from './reactions.ts';
import type { LoadTotals, RunRecord } from './scale-out-report.ts';
import { renderRun } from './scale-out-report.ts';
import { plotTimeline } from './timeline-plot.ts';
import { Watcher } from './watcher.ts';

const root = resolve(import.meta.dirname, '../..');

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) return;
  const display = new Display(process.stdout);
  const watcher = openWatcher(options);
  const load = options.isSending
    ? new Load({ ...options, queues: () => watcher.snapshot().queues })
    : undefined;
  const what = describeLoad(options);
  const course = new Course({ ...options, watcher, load, what, display });
  listenToSignals(course, display);
  const startedAt = new Date().toISOString();
  watcher.start();
  try {
    await course.run();
  } finally {
    display.finish();
    await watcher.stop();
  }
  const record = recordOf({ options, course, load, what, startedAt });
  writeResults(record, course, options);
}

function readOptions(): ScaleOutOptions | undefined {
  try {
    const options = parseOptions(process.argv.slice(2), readEnvironment());
    if (options === undefined) process.stdout.write(`${helpText}\n`);
    return options;
  } catch (error) {
    process.stderr.write(`${failureMessage(error)}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

function openWatcher(options: ScaleOutOptions): Watcher {
  const { context, namespace } = options;
  return new Watcher({
    ...options,
    openCluster: () => new Cluster({ config: loadKubeConfig(context), namespace }),
  });
}

/** Ctrl-C ends the load, once more the watching, and a third time the process. */
function listenToSignals(course: Course, display: Display): void {
  let again = 0;
  const { received } = handleStopSignals({
    stopAtOnce: () => {
      again += 1;
      if (again === 1) course.endAtOnce();
      else {
        display.finish();
        process.exit(1);
      }
    },
  });
  void received.then((signal) => (signal === 'SIGINT' ? course.end() : course.endAtOnce()));
}

function describeLoad({ plan, requests, concurrency, isSending }: ScaleOutOptions): string {
  if (!isSending) return 'somebody else’s';
  const { type, batch, days } = plan;
  const isArticle = type === 'process-order' && batch === 1;
  const request = isArticle ? 'GET /api/test/:id' : `POST /v1/jobs/batch with ${batch} × ${type}`;
  const size = type === 'build-report' ? ` of ${days} days` : '';
  return `${request}${size}, ${requests} requests ${concurrency} at a time`;
}

interface RunParts {
  options: ScaleOutOptions;
  course: Course;
  load: Load | undefined;
  what: string;
  startedAt: string;
}

function recordOf({ options, course, load, what, startedAt }: RunParts): RunRecord {
  const { points } = course.timeline;
  const phases = Object.fromEntries(
    (['before', 'load', 'after'] as const).flatMap((phase) => {
      const summary = course.phases.summary(phase);
      return summary === undefined ? [] : [[phase, summary]];
    }),
  );
  const workloads = workloadsOf(phases);
  const { all: events, dropped: eventsDropped } = course.events;
  return {
    startedAt,
    command: ['npm run bench:scale-out --', ...process.argv.slice(2)].join(' ').replace(/ --$/, ''),
    namespace: options.namespace,
    phases,
    workloads,
    load: load === undefined ? undefined : totalsOf(load, what),
    reactions: findReactions({ points, events, workloads, isSending: options.isSending }),
    events,
    eventsDropped,
  };
}

/** Those with an autoscaler; where none is known, all that have pods. */
function workloadsOf(phases: RunRecord['phases']): string[] {
  const pictures = Object.values(phases).flatMap(({ picture }) => picture ?? []);
  const scaled = pictures.flatMap(({ snapshot: { autoscalers } }) =>
    autoscalers.ok ? autoscalers.value.map(({ target }) => target) : [],
  );
  const all = pictures.flatMap(({ point }) => Object.keys(point.workloads ?? {}));
  return [...new Set(scaled.length > 0 ? scaled : all)].sort();
}

function totalsOf(load: Load, what: string): LoadTotals {
  const { answered, failed, failure, jobs, rounds, bestRound, latencies } = load;
  const known = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    what,
    answered,
    failed,
    failure,
    jobs,
    rounds,
    bestPerSecond: bestRound?.perSecond ?? null,
    p50Ms: known(latencies.percentile(50)),
    p99Ms: known(latencies.percentile(99)),
  };
}

function writeResults(record: RunRecord, { timeline }: Course, { out }: ScaleOutOptions): void {
  const folder = resolve(root, out);
  const { points } = timeline;
  const page = renderRun(record);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'README.md'), page);
  writeFileSync(
    join(folder, 'timeline.json'),
    `${JSON.stringify({ ...withoutPictures(record), points }, rounded, 1)}\n`,
  );
  writeFileSync(
    join(folder, 'timeline.svg'),
    drawPlot(plotTimeline(points, record.workloads, 'Warren follows its load')),
  );
  process.stdout.write(`\n${page}\nWritten to ${out}: README.md, timeline.json, timeline.svg\n`);
}

/** Milliseconds and thousandths are enough. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 1_000) / 1_000 : value;
}

/** The pictures are in the page; the file has the figures. */
function withoutPictures({ phases, ...record }: RunRecord): Record<string, unknown> {
  const figures = Object.entries(phases).map(([phase, { picture, ...rest }]) => {
    return [phase, { ...rest, picturedAtSeconds: picture?.point.seconds }];
  });
  return { ...record, phases: Object.fromEntries(figures) };
}

if (import.meta.main) await main();
