/**
 * What is looked for in the jobs: those that wait for long, that fail, that take workers down, that run for long; each with whom it concerns, and since when. Pure.
 */
import type { WaitingQueue } from '#shared/postgres/diagnosis/job-facts.ts';
import type { Check, WithJobs } from './check.ts';
import { since } from './check.ts';

const INCIDENT = 'docs/incident.md';
const MAX_MESSAGE = 160;
/** As many are counted at most. */
const MAX_COUNTED = 10_000;

const number = (jobs: number) =>
  jobs >= MAX_COUNTED ? `${MAX_COUNTED} jobs or more` : `${jobs} job${jobs === 1 ? '' : 's'}`;

export const jobChecks: readonly Check<WithJobs>[] = [
  {
    code: 'type-fails',
    severity: 'error',
    looksFor: 'a job type that has failed more often than it was completed of late, three jobs or more',
    remedy:
      '`warren types pause TYPE` until the cause is mended; then resume it, and `warren jobs bulk retry --type TYPE --state discarded --finished-after SINCE`',
    page: INCIDENT,
    find: ({ jobs }) =>
      jobs.failingTypes.map(
        ({ queue, type, jobs: failed, since: from, message }) =>
          `${number(failed)} of the type ${type} in ${queue} failed and did not come through, ${since(from)}: ${cut(message)}`,
      ),
  },
  {
    code: 'jobs-crash',
    severity: 'error',
    looksFor: 'a job that has taken its worker down twice or more within the hour',
    remedy:
      'nothing to save the workers: the job runs alone now, and is discarded if it crashes there; mend its handler, then `warren jobs retry ID`',
    page: INCIDENT,
    find: ({ jobs }) =>
      jobs.crashing.map(
        ({ id, type, crashes, since: from, discarded }) =>
          `job ${id} of the type ${type} took ${crashes} processes down, ${since(from)}${discarded ? '; it was discarded' : ''}`,
      ),
  },
  {
    code: 'jobs-wait',
    severity: 'warning',
    looksFor: 'a queue with a job that could have run for a minute, though workers serve it',
    remedy:
      'where the slots are full: end what holds them, or more workers, or `warren queues set QUEUE --prefetch N`; where somebody floods it: `warren types pause TYPE`, or cancel what is not wanted',
    page: INCIDENT,
    find: ({ jobs }) =>
      jobs.waitingQueues.map(
        ({ queue, jobs: waiting, since: from, type, jobsOfType, group, jobsOfGroup, ...workers }) =>
          [
            `${number(waiting)} wait in ${queue}, the oldest ${since(from)}`,
            `most are ${type} (${jobsOfType}${group === null ? '' : `, ${jobsOfGroup} of them of the group ${group}`})`,
            `${workers.running} of ${workers.slots} slots are in use${tellBusiest(workers.busiest)}`,
          ].join('; '),
      ),
  },
  {
    code: 'limit-full',
    severity: 'warning',
    looksFor: 'a limit at which a job has waited for a minute',
    remedy: 'wait, or let more through: `warren limits set LIMIT --concurrency N`',
    page: INCIDENT,
    find: ({ jobs }) =>
      jobs.waitingLimits.map(
        ({ gate, jobs: held, since: from, concurrency }) =>
          `${number(held)} wait at the limit ${gate}${concurrency === null ? '' : ` (${concurrency} at once)`}, the oldest ${since(from)}`,
      ),
  },
  {
    code: 'job-long',
    severity: 'note',
    looksFor: 'a job that has run for ten minutes',
    remedy: 'where it is stuck: `warren jobs cancel ID`, and give its type a `timeoutMs`',
    page: INCIDENT,
    find: ({ jobs }) =>
      jobs.longRunning.map(
        ({ id, type, queue, since: from, worker }) =>
          `job ${id} of the type ${type} in ${queue} runs on ${worker ?? 'a worker that is gone'}, ${since(from)}`,
      ),
  },
];

function tellBusiest(busiest: WaitingQueue['busiest']): string {
  if (busiest === null) return '';
  const { type, jobs, id, since: from } = busiest;
  return `, ${jobs} by ${type}, of which job ${id} runs for longest, ${since(from)}`;
}

function cut(message: string): string {
  const [line = ''] = message.split('\n');
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line;
}
