/**
 * The package's face: what an application imports. Nothing else is public.
 */
/// <reference types="node" preserve="true" />

export type { GrpcOptions, RunningGrpc } from '#api/grpc/started-grpc.ts';
export type { HttpOptions } from '#api/mounted-api.ts';
export { actOnJobs } from '#jobs/act-on-jobs.ts';
export { cancel, defineJob, snooze } from '#jobs/define.ts';
export { defineApp } from '#jobs/define-app.ts';
export type { ScheduleOptions } from '#jobs/define-schedule.ts';
export { defineSchedule } from '#jobs/define-schedule.ts';
export { deliverWebhook } from '#jobs/deliver-webhook.ts';
export type { ActEnd, Audit, AuditEntry, AuditFilter, AuditPage, NewAuditEntry } from '#queue/audit.ts';
export type { DeadLetter, DeadLetterPage, DeadLetters } from '#queue/dead-letters.ts';
export type { Explanation } from '#queue/explain/explanation.ts';
export type { Reason } from '#queue/explain/reasons.ts';
export type { QueueControl } from '#queue/queue-control.ts';
export type { ScheduleInput } from '#queue/schedules/schedule-input.ts';
export type { Schedules } from '#queue/schedules/schedules.ts';
export type { TypeControl } from '#queue/type-control.ts';
export type { WorkerOverview, Workers } from '#queue/workers.ts';
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
export type { Batch, BatchState } from '#shared/job/batch.ts';
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
export type { EventFilter, JobEvent, JobEventKind } from '#shared/job/job-event.ts';
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
export type { EventMessages, EventName } from '#shared/observe/events.ts';
export type { LogOption } from '#shared/observe/instance-log.ts';
export type { LogTarget } from '#shared/observe/log-target.ts';
export type { CallersClient, QueryClient, QueryTag } from '#shared/postgres/callers-client.ts';
export type { Sql } from '#shared/postgres/database.ts';
export type { HandlerClient } from '#shared/postgres/handler-client.ts';
export type { TypeOverview } from '#shared/postgres/statements/paused-types.ts';
export type { QueueChanges, QueueSettings, StoredQueue } from '#shared/postgres/statements/queues.ts';
export { Warren } from '#warren.ts';
export type { NewBatch, WarrenBatches } from '#warren-batches.ts';
export type { WarrenJobs } from '#warren-jobs.ts';
export type {
  ManyElement,
  RunningWorker,
  WarrenEnqueueOptions,
  WarrenOptions,
  WorkerOptions,
} from '#warren-options.ts';
