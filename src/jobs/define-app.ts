/**
 * How an application is put together: as it is given, and with the job type by which its operators act on many jobs at once, so that
 * `POST /v1/jobs/bulk` works wherever there is an application.
 */
import type { App } from '#shared/job/app.ts';
import { defineApp as defineGivenApp } from '#shared/job/app.ts';
import { actOnJobs } from './act-on-jobs.ts';

/** Throws `Misconfigured` with all that is wrong in one line. Adds `actOnJobs` where the application has not given it a queue of its own. */
export const defineApp: typeof defineGivenApp = (options) =>
  withActOnJobs(defineGivenApp(options as Parameters<typeof defineGivenApp>[0]));

function withActOnJobs(app: App): App {
  const { definitions, queues } = app;
  const [[widest] = []] = [...queues].toSorted(([, one], [, other]) => slots(other) - slots(one));
  if (definitions.has(actOnJobs.type) || widest === undefined) return app;
  const queue = queues.has(actOnJobs.queue) ? actOnJobs.queue : widest;
  return { ...app, definitions: new Map([...definitions, [actOnJobs.type, { ...actOnJobs, queue }]]) };
}

function slots({ channels, prefetch }: { channels: number; prefetch: number }): number {
  return channels * prefetch;
}
