/**
 * Schedules as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { scheduleInputSchema } from '#queue/schedules/schedule-input.ts';
import { catchUps, overlaps, tickOutcomes, tickReasons } from '#shared/job/schedule.ts';
import { defineRoute } from '../access/route-access.ts';
import { pageLimit } from './page.ts';
import { problems } from './problem.ts';
import { sameName } from './same-name.ts';

const time = z.iso.datetime().openapi({ example: '2026-01-31T12:00:00.000Z' });

export const tickSchema = z
  .object({
    tick: time.openapi({ description: 'when it was due; of a run that was asked for, when that was' }),
    until: time
      .nullable()
      .openapi({ description: 'where it stands for many ticks that were missed: the last of them' }),
    outcome: z.enum(tickOutcomes),
    reason: z.enum(tickReasons).nullable().openapi({ description: 'null where it was enqueued in its time' }),
    jobId: z.string().nullable(),
    decidedAt: time,
  })
  .openapi('ScheduleTick');

export const scheduleSchema = z
  .object({
    name: z.string(),
    app: z.string().openapi({ description: 'the application that has it' }),
    cron: z.string().nullable(),
    everyMs: z.int().nullable(),
    at: time.nullable(),
    timezone: z.string(),
    type: z.string(),
    args: z.unknown(),
    options: z.record(z.string(), z.unknown()),
    overlap: z.enum(overlaps),
    catchUp: z.enum(catchUps),
    jitterMs: z.int(),
    paused: z.boolean(),
    definedInCode: z.boolean(),
    next: z.array(time).openapi({ description: 'the ten next ticks; fewer where no more will come' }),
    lastTick: tickSchema.nullable(),
  })
  .openapi('Schedule');

/** A schema of its own by `describe`: the one that the library uses was made before there were names for documents. */
export const newScheduleSchema = scheduleInputSchema
  .safeExtend({ name: sameName })
  .describe('one of `cron`, `everyMs` and `at`; `timezone` for `cron`. The rest as docs/schedules.md has it')
  .openapi('NewSchedule');

const params = z.object({
  name: z.string().openapi({ param: { name: 'name', in: 'path' }, example: 'nightly-report' }),
});
const query = z.strictObject({
  limit: pageLimit,
  cursor: z.string().max(60).optional().openapi({ description: 'the `nextCursor` of the page before' }),
});
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const oneSchedule = json(scheduleSchema);
const nextCursor = z.string().nullable();
const tags = ['schedules'];

export const schedulesRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/schedules',
  tags,
  summary: 'List schedules, by name',
  request: { query },
  responses: {
    200: {
      description: 'a page; `nextCursor` is null on the last one',
      content: json(z.object({ schedules: z.array(scheduleSchema), nextCursor })),
    },
    ...problems(422, 503),
  },
});

export const showScheduleRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/schedules/{name}',
  tags,
  summary: 'Look a schedule up',
  request: { params },
  responses: { 200: { description: 'the schedule', content: oneSchedule }, ...problems(404, 503) },
});

export const setScheduleRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'put',
  path: '/v1/schedules/{name}',
  tags,
  summary: 'Set a schedule',
  description:
    'Makes it, or replaces what it was; whether it is paused stays, where that is not given. With the same times it goes on where it was. One that code defines is as it is set here until its definition in the code changes.',
  request: { params, body: { content: json(newScheduleSchema), required: true } },
  responses: {
    200: { description: 'the schedule', content: oneSchedule },
    ...problems(400, 409, 413, 415, 422, 503),
  },
});

export const removeScheduleRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'delete',
  path: '/v1/schedules/{name}',
  tags,
  summary: 'Remove a schedule',
  description: 'Its jobs and its history stay. 409 where the code of a living worker defines it.',
  request: { params },
  responses: { 204: { description: 'removed' }, ...problems(404, 409, 503) },
});

export const runScheduleRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/schedules/{name}/run',
  tags,
  summary: 'Enqueue the job of a schedule now',
  description: 'Whether it is paused or its last job still runs. Its ticks stay as they are.',
  request: { params },
  responses: {
    202: { description: 'committed', content: json(z.object({ jobId: z.string() })) },
    ...problems(404, 409, 503),
  },
});

export const pauseScheduleRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/schedules/{name}/pause',
  tags,
  summary: 'Pause a schedule',
  description:
    'Its ticks are noted as skipped, and not caught up later. Survives restarts and new definitions.',
  request: { params },
  responses: { 200: { description: 'paused', content: oneSchedule }, ...problems(404, 503) },
});

export const resumeScheduleRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/schedules/{name}/resume',
  tags,
  summary: 'Let a paused schedule go on',
  request: { params },
  responses: { 200: { description: 'not paused', content: oneSchedule }, ...problems(404, 503) },
});

export const scheduleHistoryRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/schedules/{name}/history',
  tags,
  summary: 'What became of the ticks of a schedule, newest first',
  request: { params, query },
  responses: {
    200: {
      description: 'a page; `nextCursor` is null on the last one',
      content: json(z.object({ ticks: z.array(tickSchema), nextCursor })),
    },
    ...problems(404, 422, 503),
  },
});
