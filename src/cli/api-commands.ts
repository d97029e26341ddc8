/**
 * The commands that are a request to the API: which route each stands for, and what people are shown of its answer. Everything else (arguments, options, help,
 * docs/command-line.md) is made from the route's own contract, so that a new member of a request is an option without a line here.
 */
import type { RouteConfig } from '@hono/zod-openapi';
import { auditRoute } from '#api/contract/audit.ts';
import {
  batchesRoute,
  batchRoute,
  cancelBatchRoute,
  closeBatchRoute,
  createBatchRoute,
} from '#api/contract/batch.ts';
import { bulkRoute } from '#api/contract/bulk.ts';
import {
  deadLettersRoute,
  deleteDeadLetterRoute,
  deleteDeadLettersRoute,
  resendDeadLetterRoute,
  resendDeadLettersRoute,
} from '#api/contract/dead-letter.ts';
import { eventsRoute } from '#api/contract/event.ts';
import { enqueueBatchRoute, enqueueRoute, listRoute } from '#api/contract/job.ts';
import { cancelRoute, deleteRoute, editRoute, retryRoute, runRoute } from '#api/contract/job-acts.ts';
import { pauseTypeRoute, resumeTypeRoute, typesRoute } from '#api/contract/job-type.ts';
import { deleteLimitRoute, limitRoute, limitsRoute, putLimitRoute } from '#api/contract/limit.ts';
import { drainRoute, pauseRoute, queuesRoute, resumeRoute, setQueueRoute } from '#api/contract/queue.ts';
import {
  pauseScheduleRoute,
  removeScheduleRoute,
  resumeScheduleRoute,
  runScheduleRoute,
  scheduleHistoryRoute,
  schedulesRoute,
  setScheduleRoute,
  showScheduleRoute,
} from '#api/contract/schedule.ts';
import { explainRoute, logsRoute, showRoute } from '#api/contract/shown-job.ts';
import { drainWorkerRoute, workersRoute } from '#api/contract/worker.ts';

export interface ApiCommand {
  /** `jobs list`, or one word. */
  name: string;
  route: Pick<RouteConfig, 'method' | 'path'> & object;
  /** Members of the body that are arguments, in this order, instead of options. Defaults to none. */
  positional?: readonly string[];
  /** Members of the body that are objects, whose members are options of their own, each behind this prefix. Defaults to none. */
  spread?: Readonly<Record<string, string>>;
  /** Its answer is a stream of events, which is followed. Defaults to false. */
  isStream?: true;
  /** Of an answer that is a list: the member that has it, and its columns for people. */
  list?: { rows: string; columns: readonly Column[] };
}

/** A heading, and where its value is in a row: `counts.available`. */
export type Column = readonly [heading: string, path: string];

const jobColumns: readonly Column[] = [
  ['ID', 'id'],
  ['TYPE', 'type'],
  ['QUEUE', 'queue'],
  ['STATE', 'state'],
  ['ATTEMPT', 'attempt'],
  ['OF', 'maxAttempts'],
  ['RUN AT', 'runAt'],
  ['CREATED', 'createdAt'],
  ['LAST ERROR', 'errors.-1.message'],
  ['ARGS', 'args'],
];

export const queueColumns: readonly Column[] = [
  ['NAME', 'name'],
  ['PAUSED', 'paused'],
  ['WAITING', 'counts.available'],
  ['RUNNING', 'counts.running'],
  ['SCHEDULED', 'counts.scheduled'],
  ['HELD', 'counts.held'],
  ['RETRYABLE', 'counts.retryable'],
  ['DISCARDED', 'counts.discarded'],
  ['OLDEST s', 'oldestAvailableSeconds'],
  ['CONSUMERS', 'consumers'],
];

export const workerColumns: readonly Column[] = [
  ['ID', 'id'],
  ['NAME', 'name'],
  ['APP', 'app'],
  ['VERSION', 'version'],
  ['STATE', 'state'],
  ['LEADS', 'isLeader'],
  ['LANE', 'lane'],
  ['RUNNING', 'running'],
  ['SLOTS', 'slots'],
  ['LOOP ms', 'loopDelayMs'],
  ['MEMORY', 'memoryBytes'],
];

export const apiCommands: readonly ApiCommand[] = [
  { name: 'jobs list', route: listRoute, list: { rows: 'jobs', columns: jobColumns } },
  { name: 'jobs show', route: showRoute },
  {
    name: 'jobs logs',
    route: logsRoute,
    list: {
      rows: 'logs',
      columns: [
        ['AT', 'at'],
        ['ATTEMPT', 'attempt'],
        ['LEVEL', 'level'],
        ['MESSAGE', 'message'],
      ],
    },
  },
  { name: 'jobs enqueue', route: enqueueRoute, positional: ['type', 'args'] },
  { name: 'jobs enqueue-many', route: enqueueBatchRoute },
  { name: 'jobs retry', route: retryRoute },
  { name: 'jobs cancel', route: cancelRoute },
  { name: 'jobs run', route: runRoute },
  { name: 'jobs edit', route: editRoute },
  { name: 'jobs delete', route: deleteRoute },
  { name: 'jobs bulk', route: bulkRoute, positional: ['action'], spread: { filter: '', set: 'set-' } },

  {
    name: 'batches list',
    route: batchesRoute,
    list: {
      rows: 'batches',
      columns: [
        ['ID', 'id'],
        ['STATE', 'state'],
        ['OPEN', 'open'],
        ['JOBS', 'total'],
        ['CREATED', 'createdAt'],
        ['ENDED', 'finishedAt'],
      ],
    },
  },
  { name: 'batches create', route: createBatchRoute },
  { name: 'batches show', route: batchRoute },
  { name: 'batches close', route: closeBatchRoute },
  { name: 'batches cancel', route: cancelBatchRoute },

  { name: 'queues list', route: queuesRoute, list: { rows: 'queues', columns: queueColumns } },
  { name: 'queues pause', route: pauseRoute },
  { name: 'queues resume', route: resumeRoute },
  { name: 'queues set', route: setQueueRoute },
  { name: 'queues drain', route: drainRoute },

  {
    name: 'types list',
    route: typesRoute,
    list: {
      rows: 'types',
      columns: [
        ['TYPE', 'type'],
        ['QUEUE', 'queue'],
        ['PAUSED', 'paused'],
      ],
    },
  },
  { name: 'types pause', route: pauseTypeRoute },
  { name: 'types resume', route: resumeTypeRoute },

  {
    name: 'schedules list',
    route: schedulesRoute,
    list: {
      rows: 'schedules',
      columns: [
        ['NAME', 'name'],
        ['CRON', 'cron'],
        ['EVERY ms', 'everyMs'],
        ['TYPE', 'type'],
        ['PAUSED', 'paused'],
        ['NEXT', 'next.0'],
        ['LAST', 'lastTick.tick'],
        ['OUTCOME', 'lastTick.outcome'],
      ],
    },
  },
  { name: 'schedules show', route: showScheduleRoute },
  { name: 'schedules put', route: setScheduleRoute, positional: ['type', 'args'] },
  { name: 'schedules delete', route: removeScheduleRoute },
  { name: 'schedules run', route: runScheduleRoute },
  { name: 'schedules pause', route: pauseScheduleRoute },
  { name: 'schedules resume', route: resumeScheduleRoute },
  {
    name: 'schedules history',
    route: scheduleHistoryRoute,
    list: {
      rows: 'ticks',
      columns: [
        ['TICK', 'tick'],
        ['OUTCOME', 'outcome'],
        ['REASON', 'reason'],
        ['JOB', 'jobId'],
        ['DECIDED', 'decidedAt'],
      ],
    },
  },

  {
    name: 'limits list',
    route: limitsRoute,
    list: {
      rows: 'limits',
      columns: [
        ['NAME', 'name'],
        ['CONCURRENCY', 'concurrency'],
        ['COUNT', 'rate.count'],
        ['PER ms', 'rate.perMs'],
        ['BURST', 'rate.burst'],
        ['IN USE', 'inUse'],
        ['WAITING', 'waiting'],
        ['ORIGIN', 'origin'],
      ],
    },
  },
  { name: 'limits show', route: limitRoute },
  { name: 'limits set', route: putLimitRoute, spread: { rate: 'rate-' } },
  { name: 'limits delete', route: deleteLimitRoute },

  { name: 'workers list', route: workersRoute, list: { rows: 'workers', columns: workerColumns } },
  { name: 'workers drain', route: drainWorkerRoute },

  {
    name: 'audit list',
    route: auditRoute,
    list: {
      rows: 'entries',
      columns: [
        ['AT', 'at'],
        ['WHO', 'who'],
        ['ROLE', 'role'],
        ['FROM', 'from'],
        ['ACT', 'act'],
        ['TARGET', 'target'],
        ['OUTCOME', 'outcome'],
      ],
    },
  },

  {
    name: 'dead-letters list',
    route: deadLettersRoute,
    list: {
      rows: 'deadLetters',
      columns: [
        ['ID', 'id'],
        ['QUEUE', 'queue'],
        ['REASON', 'reason'],
        ['AT', 'at'],
        ['BODY', 'body'],
      ],
    },
  },
  { name: 'dead-letters resend', route: resendDeadLetterRoute },
  { name: 'dead-letters resend-all', route: resendDeadLettersRoute },
  { name: 'dead-letters delete', route: deleteDeadLetterRoute },
  { name: 'dead-letters delete-all', route: deleteDeadLettersRoute },

  { name: 'explain', route: explainRoute },
  { name: 'tail', route: eventsRoute, isStream: true },
];

/** What the nouns stand for, in the help. */
export const nouns: Readonly<Record<string, string>> = {
  jobs: 'jobs: look, enqueue, and act on one or on many',
  batches: 'batches: jobs that belong together',
  queues: 'queues: what waits and runs, pause, size, drain',
  types: 'job types: pause and resume one',
  schedules: 'schedules: what will run when, and what became of it',
  workers: 'workers: who is there, what each runs, and an end to one',
  'dead-letters': 'dead letters: messages that no worker could use; send again, delete',
  limits: 'limits: at most so many at once, or in a time',
  audit: 'audit: who did what, from where, and how it went',
};
