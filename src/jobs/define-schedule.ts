/**
 * How a schedule is written in code: `defineSchedule({ name, cron, timezone, job, args })`, and its place in the application's `schedules`.
 */

import type { JobDefinition } from '#shared/job/job.ts';
import type { ScheduleDefinition, ScheduleSettings, Timing } from '#shared/job/schedule.ts';

/** One of the three times is given, and no other. */
type OneTiming =
  | { cron: string; timezone?: string | undefined; everyMs?: undefined; at?: undefined }
  | { everyMs: number; cron?: undefined; at?: undefined; timezone?: undefined }
  | { at: Date | string; cron?: undefined; everyMs?: undefined; timezone?: undefined };

export type ScheduleOptions<Args, Input, Services = unknown> = OneTiming &
  ScheduleSettings & {
    /** `[a-z0-9_-]{1,60}`, one in the whole database. */
    name: string;
    /** A job type of the application. */
    job: JobDefinition<Args, Input, Services>;
    /** Of each job, checked against the type's schema when a worker starts. */
    args: NoInfer<Input>;
  };

/** What is wrong with it is told by `defineApp`. */
export function defineSchedule<Args, Input, Services>({
  at,
  job,
  ...options
}: ScheduleOptions<Args, Input, Services>): ScheduleDefinition {
  const timing: Timing = at === undefined ? {} : { at: at instanceof Date ? at.toISOString() : at };
  return { ...options, ...timing, job: job as unknown as JobDefinition }; // which arguments and services it takes was seen above
}
