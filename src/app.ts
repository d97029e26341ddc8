/**
 * The part of the package's face that an application is made of, without `Warren` itself: a program that loads an application by its module then
 * loads neither the API nor the worker with it. `warren/app`; `warren` has all of it, too.
 */
/// <reference types="node" preserve="true" />
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
export type { Sql } from '#shared/postgres/database.ts';
export type { HandlerClient } from '#shared/postgres/handler-client.ts';
