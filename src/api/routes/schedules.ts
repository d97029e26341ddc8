/**
 * Schedules for people and programs: list, set, remove, pause, run, and what became of their ticks.
 */
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import { refuseBulkType } from '#queue/bulk/bulk-input.ts';
import type { Schedules } from '#queue/schedules/schedules.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { redactJob } from '#shared/job/redaction.ts';
import type { Schedule, Tick } from '#shared/job/schedule.ts';
import type { BodyBudget } from '../body-budget.ts';
import { MAX_JOB_BYTES, MAX_JOB_DEPTH, MAX_JOB_VALUES } from '../contract/job.ts';
import { assertSameName } from '../contract/same-name.ts';
import type { scheduleSchema, tickSchema } from '../contract/schedule.ts';
import {
  pauseScheduleRoute,
  removeScheduleRoute,
  resumeScheduleRoute,
  runScheduleRoute,
  scheduleHistoryRoute,
  schedulesRoute,
  setScheduleRoute,
  showScheduleRoute,
} from '../contract/schedule.ts';
import { jsonBody } from '../request-body.ts';

export interface ScheduleDependencies {
  schedules: Schedules;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerSchedules(
  app: OpenAPIHono,
  { schedules, definitions, bodies }: ScheduleDependencies,
): void {
  const present = (schedule: Schedule) => toJson(schedule, definitions);

  app.openapi(schedulesRoute, async (c) => {
    const page = await schedules.list(c.req.valid('query'));
    return c.json({ schedules: page.schedules.map(present), nextCursor: page.nextCursor }, 200);
  });

  app.openapi(showScheduleRoute, async (c) => {
    const schedule = await schedules.find(c.req.valid('param').name);
    return c.json(present(schedule), 200);
  });

  app.put(
    '/v1/schedules/:name',
    jsonBody({
      budget: bodies,
      maxBytes: MAX_JOB_BYTES,
      maxValues: MAX_JOB_VALUES,
      maxDepth: MAX_JOB_DEPTH,
    }),
  );
  app.openapi(setScheduleRoute, async (c) => {
    const { name } = c.req.valid('param');
    const { name: sameName, ...given } = c.req.valid('json');
    assertSameName(sameName, name);
    refuseBulkType(given.type);
    const schedule = await schedules.set(name, given);
    return c.json(present(schedule), 200);
  });

  app.openapi(removeScheduleRoute, async (c) => {
    await schedules.remove(c.req.valid('param').name);
    return c.body(null, 204);
  });

  app.openapi(runScheduleRoute, async (c) => {
    const jobId = await schedules.run(c.req.valid('param').name);
    c.header('location', `/v1/jobs/${jobId}`);
    return c.json({ jobId }, 202);
  });

  app.openapi(pauseScheduleRoute, async (c) => {
    const schedule = await schedules.pause(c.req.valid('param').name);
    return c.json(present(schedule), 200);
  });

  app.openapi(resumeScheduleRoute, async (c) => {
    const schedule = await schedules.resume(c.req.valid('param').name);
    return c.json(present(schedule), 200);
  });

  app.openapi(scheduleHistoryRoute, async (c) => {
    const { ticks, nextCursor } = await schedules.history(c.req.valid('param').name, c.req.valid('query'));
    return c.json({ ticks: ticks.map(tickToJson), nextCursor }, 200);
  });
}

/** Nothing of the arguments that their type hides. */
function toJson(
  { at, next, lastTick, args, options, ...schedule }: Schedule,
  definitions: ReadonlyMap<string, JobDefinition>,
): z.infer<typeof scheduleSchema> {
  const shown = redactJob({ args, output: null, errors: [] }, definitions.get(schedule.type));
  return {
    ...schedule,
    at: at?.toISOString() ?? null,
    args: shown.args,
    options: { ...options },
    next: next.map((tick) => tick.toISOString()),
    lastTick: lastTick === null ? null : tickToJson(lastTick),
  };
}

function tickToJson({ at, until, decidedAt, outcome, reason, jobId }: Tick): z.infer<typeof tickSchema> {
  return {
    tick: at.toISOString(),
    until: until?.toISOString() ?? null,
    outcome,
    reason,
    jobId,
    decidedAt: decidedAt.toISOString(),
  };
}
