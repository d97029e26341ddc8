// How much memory a worker takes with 400 jobs at once, and whether a million jobs make it grow.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Report } from '../../report/report.ts';
import { median } from '../../report/statistics.ts';
import type { Batch } from '../backlog.ts';
import { Backlog } from '../backlog.ts';
import type { PartOptions } from '../part.ts';
import { MIB, scaled } from '../part.ts';
import { startWorkers } from '../programs.ts';

const CHANNELS = 20;
const PREFETCH = 20;
const JOBS = 1_000_000;
/** Long enough that all slots are taken while memory is looked at, and that little else happens. */
const SLOW_JOB_MS = 1_000;
const SLOW_SECONDS = 10;
const SAMPLE_MS = 500;

interface Sample {
  /** That have left the queue: their share, as messages may carry several. */
  jobs: number;
  residentBytes: number;
}

export async function measureMemory(options: PartOptions): Promise<Report> {
  const place = await options.stage.createPlace('bench_memory');
  await using backlog = await Backlog.open(place);
  const queues = `default:${CHANNELS}:${PREFETCH}`;
  await options.stage.stop(await startWorkers(options.stage, { place, queues })); // compiled now, as in the image
  const workers = await startWorkers(options.stage, { place, queues });
  const pid = workers[0]?.process.pid ?? 0;
  await delay(1_000);
  const atRest = residentBytes(pid, 'VmRSS');

  const jobs = CHANNELS * PREFETCH * scaled(SLOW_SECONDS, options, 3);
  const slow = await backlog.add({ jobs, type: 'bench-wait', args: { ms: SLOW_JOB_MS } });
  const busy = (await watch(backlog, slow, pid)).reduce(
    (most, sample) => Math.max(most, sample.residentBytes),
    0,
  );
  await backlog.done(slow);
  options.log(
    `memory: ${mib(atRest)} MiB at rest, ${mib(busy)} MiB with ${CHANNELS * PREFETCH} jobs at once`,
  );

  await options.stage.stop(workers);
  await backlog.clear();
  const samples = await burnAndSample(
    options,
    backlog,
    async () => (await startWorkers(options.stage, { place, queues }))[0]?.process.pid ?? 0,
  );
  return compose(options, { atRest, busy, ...samples });
}

interface Burnt {
  samples: Sample[];
  perSecond: number;
  peak: number;
}

async function burnAndSample(
  options: PartOptions,
  backlog: Backlog,
  startWorker: () => Promise<number>,
): Promise<Burnt> {
  const jobs = scaled(JOBS, options, 10_000);
  const batch = await backlog.add({ jobs, type: 'bench-trivial' });
  await backlog.settle();
  options.log(`memory: ${jobs} jobs wait`);
  const pid = await startWorker();
  const samples = await watch(backlog, batch, pid);
  const { perSecond } = await backlog.done(batch);
  return { samples, perSecond, peak: residentBytes(pid, 'VmHWM') };
}

/** Looks at the worker until the queue is empty. */
async function watch(backlog: Backlog, { jobs, queue }: Batch, pid: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  let most = 1;
  for (let left = most; left > 0; ) {
    left = await backlog.depth(queue);
    most = Math.max(most, left);
    samples.push({ jobs: jobs * (1 - left / most), residentBytes: residentBytes(pid, 'VmRSS') });
    await delay(SAMPLE_MS);
  }
  return samples;
}

/** Of the samples taken between these shares of all jobs. */
function medianBetween(samples: readonly Sample[], from: number, to: number): number {
  const jobs = samples.at(-1)?.jobs ?? 0;
  return median(
    samples
      .filter((sample) => sample.jobs >= from * jobs && sample.jobs <= to * jobs)
      .map((sample) => sample.residentBytes),
  );
}

function compose(options: PartOptions, measured: Burnt & { atRest: number; busy: number }): Report {
  const { samples, atRest, busy, peak, perSecond } = measured;
  const early = medianBetween(samples, 0.2, 0.4);
  const late = medianBetween(samples, 0.8, 1);
  const jobs = samples.at(-1)?.jobs ?? 0;
  return {
    name: 'work-memory',
    title: "A worker's memory",
    command: 'npm run bench:work -- --part memory',
    facts: options.facts,
    notes: [
      `One worker with ${CHANNELS} consumers × prefetch ${PREFETCH}, resident memory as the kernel tells it. Growth: the median of the last fifth of ${jobs} trivial jobs ` +
        'against that of the second fifth; the first is left out, when the heap takes its size. What V8 takes at full speed is mostly its allowance for garbage.',
    ],
    bars: [
      {
        what: 'resident memory at rest, just started',
        demand: 'at most',
        limit: 95,
        measured: atRest / MIB,
        unit: 'MiB',
        digits: 0,
      },
      {
        what: `resident memory with ${CHANNELS} consumers × prefetch ${PREFETCH}, all at work`,
        demand: 'at most',
        limit: 120,
        measured: busy / MIB,
        unit: 'MiB',
        digits: 0,
      },
      {
        what: `growth over ${jobs} jobs, against the second fifth`,
        demand: 'at most',
        limit: 0.05,
        measured: late / early - 1,
        digits: 3,
      },
    ],
    sections: [
      {
        title: 'Resident memory',
        table: {
          columns: [{ title: '' }, { title: 'MiB' }],
          rows: [
            ['at rest, just started', atRest / MIB],
            [`${CHANNELS * PREFETCH} jobs of ${SLOW_JOB_MS} ms at once, at most`, busy / MIB],
            ['second fifth of the trivial jobs', early / MIB],
            ['last fifth of the trivial jobs', late / MIB],
            ['peak over the trivial jobs', peak / MIB],
          ],
        },
      },
      {
        title: 'Over the trivial jobs',
        note: `${Math.round(perSecond)} jobs per second.`,
        plot: {
          kind: 'lines',
          name: 'growth',
          title: 'Resident memory of a worker',
          x: { title: 'jobs done' },
          y: { title: 'MiB' },
          series: [
            {
              label: 'resident',
              points: samples.map((sample) => ({ x: sample.jobs, y: sample.residentBytes / MIB })),
            },
          ],
        },
      },
    ],
    data: measured,
  };
}

/** VmRSS: now; VmHWM: the most so far. */
function residentBytes(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024;
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}
