/**
 * What becomes of jobs in this process: enqueued, begun, tried, ended.
 */
import type { Registry } from '@prometheus-io/client';
import { Counter, Gauge, Histogram } from '@prometheus-io/client';
import { endStates, recordedActs, target } from '../../job/transitions.ts';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** What an attempt can come to, as `warren_attempts_finished_total` has it. */
const OUTCOMES = [...new Set(recordedActs.map(target))];
/** Job types and queues that this process does not know are counted under this name: anybody can write others into a row. */
const UNKNOWN = 'unknown';

const labelNames = ['type', 'queue'] as const;

export function countJobs(
  registry: Registry,
  { events, types, queues }: { events: Events; types: Iterable<string>; queues: readonly string[] },
): (() => void)[] {
  const known = labelsOf([...types, UNKNOWN], [...queues, UNKNOWN]);
  return [...countEnds(registry, { events, known }), ...observeAttempts(registry, { events, known })];
}

/** Made once, so that counting makes none: the labels of each type and queue. */
type KnownLabels = ReadonlyMap<string, ReadonlyMap<string, { type: string; queue: string }>>;

interface Counted {
  events: Events;
  known: KnownLabels;
}

function labelsOf(types: readonly string[], queues: readonly string[]): KnownLabels {
  return new Map(
    types.map((type) => [type, new Map(queues.map((queue) => [queue, { type, queue }]))] as const),
  );
}

function labelsFor(known: KnownLabels, type: string, queue: string): { type: string; queue: string } {
  const queues = known.get(type) ?? known.get(UNKNOWN);
  return queues?.get(queue) ?? queues?.get(UNKNOWN) ?? { type: UNKNOWN, queue: UNKNOWN };
}

function* all(known: KnownLabels): Generator<{ type: string; queue: string }> {
  for (const queues of known.values()) for (const labels of queues.values()) yield labels;
}

function countEnds(registry: Registry, { events, known }: Counted): (() => void)[] {
  const registers = [registry];
  const enqueued = new Counter({
    name: 'warren_jobs_enqueued_total',
    help: 'Jobs that this process has committed.',
    labelNames,
    registers,
  });
  const finished = new Counter({
    name: 'warren_jobs_finished_total',
    help: 'Jobs that have come to their end by a commit of this process, by the state that they ended in.',
    labelNames: [...labelNames, 'state'],
    registers,
  });
  const expired = new Counter({
    name: 'warren_jobs_expired_total',
    help: 'Jobs that this process has discarded because they had not started by the time at which they expired.',
    labelNames,
    registers,
  });
  for (const labels of all(known)) {
    expired.inc(labels, 0);
    enqueued.inc(labels, 0);
    for (const state of endStates) finished.inc({ ...labels, state }, 0);
  }
  return [
    events.subscribe('job.enqueued', ({ type, queue, count }) =>
      enqueued.inc(labelsFor(known, type, queue), count),
    ),
    events.subscribe('job.expired', ({ type, queue }) => expired.inc(labelsFor(known, type, queue))),
    events.subscribe('job.ended', ({ type, queue, state }) =>
      finished.inc({ ...labelsFor(known, type, queue), state }),
    ),
  ];
}

function observeAttempts(registry: Registry, { events, known }: Counted): (() => void)[] {
  const registers = [registry];
  const finished = new Counter({
    name: 'warren_attempts_finished_total',
    help: 'Attempts that have ended in this process, by the state that the job was to have then.',
    labelNames: [...labelNames, 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'warren_attempt_duration_seconds',
    help: 'Time that handlers took.',
    labelNames,
    buckets: SECONDS,
    registers,
  });
  const wait = new Histogram({
    name: 'warren_job_wait_seconds',
    help: 'Time from the moment a job was due to the start of its handler.',
    labelNames,
    buckets: SECONDS,
    registers,
  });
  const running = new Gauge({
    name: 'warren_attempts_running',
    help: 'Handlers at work now.',
    labelNames,
    registers,
  });
  const abandoned = new Gauge({
    name: 'warren_attempts_abandoned',
    help: 'Handlers that ignore their abort signal and go on.',
    registers,
  });
  const fenced = new Counter({
    name: 'warren_completions_fenced_total',
    help: 'Outcomes that were refused: the attempt had lost its claim.',
    registers,
  });
  const takenOver = createCounter(registry, {
    name: 'warren_jobs_taken_over_total',
    help: 'Jobs that this process has taken over from dead workers.',
  });
  for (const labels of all(known)) {
    running.set(labels, 0);
    for (const outcome of OUTCOMES) finished.inc({ ...labels, outcome }, 0);
  }
  return [
    events.subscribe('attempt.started', ({ type, queue, waitMs }) => {
      const labels = labelsFor(known, type, queue);
      running.inc(labels);
      wait.observe(labels, Math.max(0, waitMs) / 1_000);
    }),
    events.subscribe('attempt.finished', ({ type, queue, outcome, durationMs }) => {
      const labels = labelsFor(known, type, queue);
      running.dec(labels);
      finished.inc({ ...labels, outcome });
      duration.observe(labels, durationMs / 1_000);
    }),
    events.subscribe('attempt.abandoned', ({ running: goesOn }) => abandoned.inc(goesOn ? 1 : -1)),
    events.subscribe('attempt.fenced', () => fenced.inc()),
    events.subscribe('owner.taken-over', ({ count }) => takenOver.inc(count)),
  ];
}
