/**
 * The package's face: what an application imports. Nothing else is public.
 */
/// <reference types="node" preserve="true" />
export { cancel, defineJob, snooze } from '#jobs/define.ts';
export type { App, AppOptions, QueueOptions } from '#shared/app.ts';
export { defineApp } from '#shared/app.ts';
export { Conflict, InvalidInput, Misconfigured, Unavailable } from '#shared/errors.ts';
export type { Job, JobContext, JobDefinition, JobState } from '#shared/job.ts';
export type { Enqueued, EnqueueOptions } from '#shared/new-job.ts';
export type { CallersClient, QueryClient } from '#shared/postgres/callers-client.ts';
export type { ManyElement, RunningWorker, WarrenEnqueueOptions, WarrenOptions } from '#warren.ts';
export { Warren } from '#warren.ts';
