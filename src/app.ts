/**
 * The part of the package's face that an application is made of, without `Warren` itself: a program that loads an application by its module then
 * loads neither the API nor the worker with it. `warren/app`; `warren` has all of it, too.
 */
/// <reference types="node" preserve="true" />

export { actOnJobs } from '#jobs/act-on-jobs.ts';
export { cancel, defineJob, snooze } from '#jobs/define.ts';
export { defineApp } from '#jobs/define-app.ts';
export type { ScheduleOptions } from '#jobs/define-schedule.ts';
export { defineSchedule } from '#jobs/define-schedule.ts';
export { deliverWebhook } from '#jobs/deliver-webhook.ts';
export { Batcher } from '#shared/base/batcher.ts';
export {
  Conflict,
  InvalidInput,
  Misconfigured,
  NotFound,
  QueueFull,
  Unavailable,
  Unrecoverable,
} from '#shared/base/errors.ts';
export type {
  App,
  AppOptions,
  AppResources,
  ArchiveHandler,
  QueueOptions,
  RouteDocument,
  RouteTools,
} from '#shared/job/app.ts';
export type {
  Enqueued,
  EnqueueOptions,
  Job,
  JobContext,
  JobDefinition,
  JobLog,
  OnConflict,
  RetryPolicy,
  RetryRule,
  Unique,
} from '#shared/job/job.ts';
export type { JobLogLine, JobProgress } from '#shared/job/job-note.ts';
export type { Limit, Rate } from '#shared/job/limit.ts';
export type {
  EnqueueCall,
  EnqueueMiddleware,
  JobToEnqueue,
  PerformCall,
  PerformMiddleware,
} from '#shared/job/middleware.ts';
export type { GroupOptions, QueueGates } from '#shared/job/queue-gates.ts';
export type {
  CatchUp,
  Overlap,
  Schedule,
  ScheduleDefinition,
  ScheduledJobOptions,
  Tick,
} from '#shared/job/schedule.ts';
export type { TransactionSql } from '#shared/job/transaction.ts';
export type { JobState } from '#shared/job/transitions.ts';
export type { Sql } from '#shared/postgres/database.ts';
export type { HandlerClient } from '#shared/postgres/handler-client.ts';
