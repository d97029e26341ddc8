/**
 * The package's face: what an application imports. Nothing else is public.
 */
/// <reference types="node" preserve="true" />

export type { HttpOptions } from '#api/mounted-api.ts';
export { cancel, defineJob, snooze } from '#jobs/define.ts';
export { deliverWebhook } from '#jobs/deliver-webhook.ts';
export { Batcher } from '#shared/base/batcher.ts';
export { Conflict, InvalidInput, Misconfigured, NotFound, Unavailable } from '#shared/base/errors.ts';
export type {
  App,
  AppOptions,
  AppResources,
  QueueOptions,
  RouteDocument,
  RouteTools,
} from '#shared/job/app.ts';
export { defineApp } from '#shared/job/app.ts';
export type {
  Enqueued,
  EnqueueOptions,
  Job,
  JobContext,
  JobDefinition,
  JobLog,
} from '#shared/job/job.ts';
export type { JobState } from '#shared/job/transitions.ts';
export type { EventMessages, EventName } from '#shared/observe/events.ts';
export type { LogOption } from '#shared/observe/instance-log.ts';
export type { LogTarget } from '#shared/observe/log-target.ts';
export type { CallersClient, QueryClient, QueryTag } from '#shared/postgres/callers-client.ts';
export type { Sql } from '#shared/postgres/database.ts';
export type { HandlerClient } from '#shared/postgres/handler-client.ts';
export { Warren } from '#warren.ts';
export type { WarrenJobs } from '#warren-jobs.ts';
export type {
  ManyElement,
  RunningWorker,
  WarrenEnqueueOptions,
  WarrenOptions,
  WorkerOptions,
} from '#warren-options.ts';
