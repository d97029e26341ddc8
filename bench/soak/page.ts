// The soak as a report. Pure.
import type { Facts } from '../report/facts.ts';
import type { Bar, Report, Section, TimelineSeries } from '../report/report.ts';
import { fittedGrowth, median } from '../report/statistics.ts';
import type { Soak } from './play.ts';
import { MAX_BACKLOG, WORKERS } from './play.ts';
import type { Sample } from './sampler.ts';

/** By how much the fitted line may rise over the second half of the load, as a share of the mean. */
const MAX_GROWTH = 0.05;
const MAX_MEMORY_GROWTH = 0.1;
const MIB = 1_048_576;
/** Smaller ones are told, and held to nothing: a page more or less is much of them. */
const MIN_BYTES = 4 * MIB;
const MAX_POINTS = 300;

export interface SoakReport {
  soak: Soak;
  facts: Facts;
  othersShare: number;
  command: string;
}

export function describeSoak({ soak, facts, othersShare, command }: SoakReport): Report {
  const half = soak.samples.filter(
    ({ seconds }) => seconds >= soak.loadEndedAt / 2 && seconds <= soak.loadEndedAt,
  );
  const { judgement, asked, loadEndedAt } = soak;
  return {
    name: 'soak',
    title: 'The soak: jobs of every kind, kills and restarts, and a retention of a minute',
    command,
    facts,
    notes: [
      `${asked} jobs in ${Math.round(loadEndedAt / 60)} minutes (${Math.round(asked / loadEndedAt)} a second), at most about ${MAX_BACKLOG} of them live at once, through an API and ${WORKERS} workers, ` +
        `all of them programs. ${soak.kills} times a worker was killed with SIGKILL and started again; ${restartsOf(soak)}. What has ended is deleted half a minute to a minute later, through the archive.`,
      'A ledger outside of the servers says what became of the jobs: the ids that the API acknowledged, those that a handler has done, those that the archive was given. ' +
        `The requests of ${soak.unanswered} jobs had no answer, or were refused while a server was away: whether those exist is open, and nobody expects them.`,
      'Growth is that of the straight line that fits the samples of the second half of the load best, from its beginning to its end, as a share of the mean.',
      `Processes of others took ${Math.round(othersShare * 100)} % of the processors meanwhile.`,
    ],
    bars: [...correctnessBars(soak), ...growthBars(half)],
    sections: [
      {
        title: 'How the jobs ended',
        table: {
          columns: [{ title: 'state' }, { title: 'jobs' }],
          rows: Object.entries(judgement.byState).toSorted(([a], [b]) => a.localeCompare(b)),
        },
      },
      ...plots(soak),
      growthTable(half),
    ],
    data: { ...soak, samples: undefined }, // the plots keep them
  };
}

function correctnessBars(soak: Soak): Bar[] {
  const { judgement } = soak;
  const none = (what: string, measured: number): Bar => ({
    what,
    demand: 'at most',
    limit: 0,
    measured,
    digits: 0,
  });
  return [
    none(`jobs lost, of ${judgement.acknowledged} acknowledged`, judgement.lost.length),
    none('jobs that had not ended after the drain', soak.unfinished),
    none('ended otherwise than their type may', judgement.wronglyEnded.length),
    none('completed without having been done', judgement.undone.length),
    none('done, and never ended', judgement.unended.length),
    none(`kept counts that differ from a full count, in ${soak.fullCounts} looks`, soak.miscounts.length),
    none(
      'lines of log and progress left behind by jobs that are gone',
      Object.values(soak.orphans).reduce((sum, rows) => sum + rows, 0),
    ),
    none('programs that ended by themselves', soak.unplannedExits.length),
    none('unhandled errors in a log', soak.badLines.length),
  ];
}

function growthBars(half: readonly Sample[]): Bar[] {
  const growth = (what: string, limit: number, of: (sample: Sample) => number): Bar => ({
    what: `growth over the second half: ${what}`,
    demand: 'at most',
    limit,
    measured: growthOf(half, of),
    digits: 3,
  });
  const isJobs = (name: string) => name === 'jobs' || name.startsWith('jobs_');
  const sum = (bytes: Readonly<Record<string, number>>, counts: (name: string) => boolean) =>
    Object.entries(bytes).reduce((total, [name, size]) => total + (counts(name) ? size : 0), 0);
  return [
    growth('`warren.jobs`', MAX_GROWTH, ({ bytes }) => bytes['jobs'] ?? 0),
    growth('its indexes together', MAX_GROWTH, ({ bytes }) =>
      sum(bytes, (name) => isJobs(name) && name !== 'jobs'),
    ),
    growth('all other tables and indexes', MAX_GROWTH, ({ bytes }) => sum(bytes, (name) => !isJobs(name))),
    growth('memory of the API', MAX_MEMORY_GROWTH, ({ memory }) => memory['API'] ?? 0),
    growth(
      'memory of the worker that lives through',
      MAX_MEMORY_GROWTH,
      ({ memory }) => memory['worker that lives through'] ?? 0,
    ),
  ];
}

function growthTable(half: readonly Sample[]): Section {
  const names = [...new Set(half.flatMap(({ bytes }) => Object.keys(bytes)))];
  const processes = [...new Set(half.flatMap(({ memory }) => Object.keys(memory)))];
  const row = (name: string, of: (sample: Sample) => number): [string, number, number, number] => [
    name,
    median(half.map(of)) / MIB,
    Math.max(...half.map(of)) / MIB,
    growthOf(half, of),
  ];
  const relations = names
    .map((name) => row(`\`${name}\``, ({ bytes }) => bytes[name] ?? 0))
    .filter(([, , most]) => most * MIB >= MIN_BYTES / 16)
    .toSorted(([, a], [, b]) => b - a);
  return {
    title: 'Over the second half',
    note: 'Tables and indexes of at least 256 KiB. Memory: what is resident of a program; of a server what its processes have for themselves.',
    table: {
      columns: [
        { title: '' },
        { title: 'MiB, median', digits: 1 },
        { title: 'at most', digits: 1 },
        { title: 'growth', digits: 3 },
      ],
      rows: [...relations, ...processes.map((name) => row(name, ({ memory }) => memory[name] ?? 0))],
    },
  };
}

function plots({ samples, loadEndedAt }: Soak): Section[] {
  const seconds = samples.at(-1)?.seconds ?? 1;
  const thinned = thin(samples);
  const shaded = { from: loadEndedAt / 2, to: loadEndedAt };
  const series = (label: string, colour: number, of: (sample: Sample) => number | null): TimelineSeries => ({
    label,
    colour,
    points: thinned.map((sample) => ({ x: sample.seconds, y: of(sample) })),
  });
  const mib = (bytes: number | undefined) => (bytes === undefined ? null : bytes / MIB);
  const indexes = ({ bytes }: Sample) =>
    Object.entries(bytes).reduce((sum, [name, size]) => sum + (name.startsWith('jobs_') ? size : 0), 0);
  const largest = Object.entries(samples.at(-1)?.bytes ?? {})
    .filter(([name]) => name !== 'jobs' && !name.startsWith('jobs_'))
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([name]) => name);
  const processes = [...new Set(samples.flatMap(({ memory }) => Object.keys(memory)))];
  const timeline = (title: string, name: string, panels: { title: string; series: TimelineSeries[] }[]) => ({
    title,
    note: 'The second half of the load is shaded.',
    plot: { kind: 'timeline' as const, name, title, seconds, shaded, panels },
  });
  return [
    timeline('Sizes', 'sizes', [
      {
        title: 'warren.jobs, MiB',
        series: [
          series('table', 0, ({ bytes }) => mib(bytes['jobs'])),
          series('its indexes', 1, (sample) => mib(indexes(sample))),
        ],
      },
      {
        title: 'the largest others, MiB',
        series: largest.map((name, index) => series(name, index, ({ bytes }) => mib(bytes[name]))),
      },
    ]),
    timeline('Rows', 'rows', [
      {
        title: 'jobs',
        series: [
          series('live', 0, ({ waiting }) => waiting),
          series('ended, kept', 2, ({ ended }) => ended),
          series('dead rows', 1, ({ deadRows }) => deadRows),
        ],
      },
      {
        title: 'seconds since the oldest ended',
        series: [series('', 0, ({ oldestSeconds }) => oldestSeconds)],
      },
    ]),
    timeline(
      'Memory',
      'memory',
      processes.map((name, index) => ({
        title: `${name}, MiB`,
        series: [series('', index, ({ memory }) => mib(memory[name]))],
      })),
    ),
  ];
}

function growthOf(half: readonly Sample[], of: (sample: Sample) => number): number {
  return fittedGrowth(half.map((sample) => ({ x: sample.seconds, y: of(sample) })));
}

function thin(samples: readonly Sample[]): Sample[] {
  const step = Math.ceil(samples.length / MAX_POINTS);
  return samples.filter((_, index) => index % step === 0);
}

function restartsOf({ restarts }: Soak): string {
  if (restarts.length === 0) return 'no server was taken down';
  const names = { rabbitmq: 'RabbitMQ was killed', postgres: 'Postgres crashed' };
  return restarts
    .map(({ server, seconds }) => `${names[server]} and came back after ${Math.round(seconds / 60)} minutes`)
    .join(', ');
}
