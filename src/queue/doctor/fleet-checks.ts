/**
 * What is looked for in the fleet: workers, leader, queues, types, and jobs that wait for something that will not come. Pure.
 */
import type { Check, WithFleet } from './check.ts';
import { since } from './check.ts';

const OPERATIONS = 'docs/operations.md';
const SLOW_LOOP_MS = 1_000;
/** A worker that has ended leaves its row for a while. */
const GONE_SECONDS = 600;
const FROZEN_SECONDS = 30;
const LEADERLESS_SECONDS = 30;
const FORGOTTEN_SECONDS = 60;

const beating = ({ fleet }: WithFleet) => fleet.workers.filter(({ isBeating }) => isBeating);

/** Those who have left without good-bye, a while ago. */
const silent = ({ fleet }: WithFleet) =>
  fleet.workers.filter(({ silentSeconds }) => silentSeconds > FROZEN_SECONDS && silentSeconds < GONE_SECONDS);

const isTakenOver = ({ isOver }: { isOver: boolean }, facts: WithFleet) =>
  isOver && beating(facts).length > 0;

export const fleetChecks: readonly Check<WithFleet>[] = [
  {
    code: 'grants-missing',
    severity: 'error',
    looksFor: 'a role that workers are connected as and that lacks grants',
    remedy: 'apply the grants again, all of them',
    page: 'docs/security.md',
    find: ({ fleet }) => fleet.lackedGrants.map(({ role, grants }) => `${role} lacks ${grants}`),
  },
  {
    code: 'pools-too-large',
    severity: 'warning',
    looksFor: 'programs whose pools together may want more connections than Postgres has',
    remedy: 'raise max_connections, lower DATABASE_POOL_MAX and JOBS_POOL_MAX, or put a PgBouncer in between',
    page: 'docs/postgres.md',
    find: ({ fleet: { programs }, server: { maxConnections }, poolOfProcess }) =>
      programs.length * poolOfProcess > maxConnections
        ? [
            `${programs.length} programs with up to ${poolOfProcess} connections each, as it is set here; Postgres has ${maxConnections}`,
          ]
        : [],
  },
  {
    code: 'no-worker',
    severity: 'error',
    looksFor: 'no living worker at all',
    remedy: 'start workers: `warren worker`',
    page: OPERATIONS,
    find: (facts) =>
      beating(facts).length === 0
        ? [`there is no living worker: jobs are taken, and nobody runs them${tellLast(facts)}`]
        : [],
  },
  {
    code: 'worker-silent',
    severity: 'warning',
    looksFor:
      'a worker that was last heard of half a minute to ten minutes ago, and still has its session or jobs that count as running there, or was the last one',
    remedy: 'look at its log: it is frozen, cut off, or its handlers block the event loop',
    page: OPERATIONS,
    find: (facts) =>
      silent(facts)
        .filter((worker) => !isTakenOver(worker, facts))
        .map(({ name, silentSeconds }) => `${name} has said nothing for ${silentSeconds} s`),
  },
  {
    code: 'worker-gone',
    severity: 'note',
    looksFor:
      'a worker that has ended within ten minutes without good-bye, and whose jobs others have taken over',
    remedy: 'none is needed; where nobody has killed it, look at its log and at the memory that it may have',
    page: OPERATIONS,
    find: (facts) =>
      silent(facts)
        .filter((worker) => isTakenOver(worker, facts))
        .map(
          ({ name, silentSeconds }) =>
            `${name} was killed or cut off, and last heard of ${silentSeconds} s ago; that is over: its jobs were taken over, and other workers live`,
        ),
  },
  {
    code: 'versions-differ',
    severity: 'note',
    looksFor: 'workers of several versions',
    remedy: 'finish the update',
    page: OPERATIONS,
    find: (facts) => {
      const versions = [...new Set(beating(facts).map(({ version }) => version))].sort();
      return versions.length > 1 ? [`there are ${versions.join(', ')}`] : [];
    },
  },
  {
    code: 'loop-blocked',
    severity: 'warning',
    looksFor: 'a worker whose event loop stands still for a second or more',
    remedy: 'find the handler that computes for so long, and let it rest or run in a thread',
    page: 'docs/performance.md',
    find: (facts) =>
      beating(facts)
        .filter(({ loopDelayMs }) => loopDelayMs > SLOW_LOOP_MS)
        .map(({ name, loopDelayMs }) => `${name} stood still for ${Math.round(loopDelayMs)} ms`),
  },
  {
    code: 'lane-fallback',
    severity: 'warning',
    looksFor: 'a worker that takes its jobs straight from Postgres although there is a broker',
    remedy: 'look why it has no connection to RabbitMQ: its log tells',
    page: OPERATIONS,
    find: (facts) =>
      facts.hasBroker
        ? beating(facts)
            .filter(({ lane }) => lane === 'postgres')
            .map(({ name }) => `${name} goes without RabbitMQ`)
        : [],
  },
  {
    code: 'leader-stuck',
    severity: 'error',
    looksFor: 'workers of whom none leads: nothing is scheduled, rescued or sent again',
    remedy: 'restart the workers; look in their logs for a maintenance that has failed',
    page: OPERATIONS,
    find: (facts) =>
      beating(facts).length > 0 && facts.fleet.leaderlessSeconds > LEADERLESS_SECONDS
        ? [`nobody has led for ${facts.fleet.leaderlessSeconds} s`]
        : [],
  },
  {
    code: 'claims-closed',
    severity: 'error',
    looksFor: 'workers that may claim nothing, long after a crash of Postgres',
    remedy: 'the worker that has been there for five seconds opens claims: look in the logs why none has',
    page: OPERATIONS,
    find: (facts) =>
      beating(facts).length > 0 && !facts.fleet.areClaimsOpen
        ? ['nobody may claim a job: warren.claims_open is empty']
        : [],
  },
  {
    code: 'queue-paused',
    severity: 'warning',
    looksFor: 'a paused queue or job type with jobs that could run',
    remedy: '`warren queues resume NAME`, `warren types resume NAME`',
    page: 'docs/queues.md',
    find: ({ fleet }) => [
      ...fleet.pausedQueues.map((paused) => `the queue ${tellPaused(paused)}`),
      ...fleet.pausedTypes.map((paused) => `the type ${tellPaused(paused)}`),
    ],
  },
  {
    code: 'queue-unserved',
    severity: 'error',
    looksFor: 'a queue with jobs that no living worker serves',
    remedy:
      'start a worker with this queue (WORKER_QUEUES), or move the jobs: `warren jobs bulk edit --queue NAME --set-queue OTHER`',
    page: 'docs/queues.md',
    find: ({ fleet }) =>
      fleet.unservedQueues.map(
        ({ queue, jobs, since: from }) =>
          `${jobs} jobs wait in ${queue}, which no living worker serves, the oldest ${since(from)}`,
      ),
  },
  {
    code: 'type-unknown',
    severity: 'error',
    looksFor: 'jobs of a type that no living worker of their queue knows',
    remedy: 'start a worker of the application that defines it, or cancel the jobs',
    page: 'docs/applications.md',
    find: ({ fleet }) =>
      fleet.unservedTypes.map(
        ({ queue, type, jobs, since: from }) =>
          `${jobs} jobs of the type ${type} wait in ${queue}, and no living worker there knows it; the oldest ${since(from)}`,
      ),
  },
  {
    code: 'jobs-unpublished',
    severity: 'error',
    looksFor: 'jobs that could run and whose message nobody has sent for a minute',
    remedy: 'look in the log of the leader for the relay; `warren rebuild` after a broker was replaced',
    page: OPERATIONS,
    find: ({ fleet: { forgottenSeconds }, hasBroker }) =>
      hasBroker && (forgottenSeconds ?? 0) > FORGOTTEN_SECONDS
        ? [`a job that could run has had no message for ${forgottenSeconds} s`]
        : [],
  },
  {
    code: 'jobs-overdue',
    severity: 'error',
    looksFor: 'scheduled jobs and retries that are due and that nobody has let run for a minute',
    remedy: 'a leader does that: look at the workers and their logs',
    page: OPERATIONS,
    find: ({ fleet: { overdueSeconds } }) =>
      overdueSeconds === null ? [] : [`a job has been due for ${overdueSeconds} s, and nobody lets it run`],
  },
  {
    code: 'jobs-orphaned',
    severity: 'error',
    looksFor: 'jobs that count as running on workers that are gone',
    remedy: 'a leader takes them back: start a worker, or look in the log for the rescuer',
    page: 'docs/states.md',
    find: ({ fleet: { orphans } }) =>
      orphans > 0 ? [`${orphans} jobs count as running on workers that are gone`] : [],
  },
  {
    code: 'schedule-late',
    severity: 'error',
    looksFor: 'a schedule whose tick is more than two minutes late',
    remedy: 'a leader decides ticks: look in the log for the ticker',
    page: 'docs/schedules.md',
    find: ({ fleet }) => fleet.lateSchedules.map((name) => `${name} has not ticked`),
  },
];

function tellLast({ fleet: { workers } }: WithFleet): string {
  if (workers.length === 0) return '';
  return `; the last one was heard of ${Math.min(...workers.map(({ silentSeconds }) => silentSeconds))} s ago`;
}

/** `paused_at` is newer than pausing: what an earlier version has paused has none. */
function tellPaused({ name, waiting, since: from }: WithFleet['fleet']['pausedQueues'][number]): string {
  return `${name} is paused${from === null ? '' : ` ${since(from)}`}, and has waiting jobs: ${waiting}`;
}
