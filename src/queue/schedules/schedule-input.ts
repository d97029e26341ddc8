/**
 * A schedule as it is given, over HTTP, by the library or in code: checked before anything is written.
 *
 * Guarantees: what is not known is refused; a text of cron, however hostile, is refused in bounded time; the arguments fit the job type's schema. What
 * comes out is the row, with the job as it will be inserted at each tick, so that a leader that does not know the type can enqueue it.
 */
import { z } from 'zod';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import type { App } from '#shared/job/app.ts';
import { isName } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import { noEncryption } from '#shared/job/encryption.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { aroundEnqueue } from '#shared/job/middleware.ts';
import type { ScheduledJobOptions, ScheduleSettings, Timing } from '#shared/job/schedule.ts';
import { catchUps, overlaps } from '#shared/job/schedule.ts';
import type { ScheduleTimes } from '#shared/job/schedule-times.ts';
import {
  isTimeZone,
  MAX_CRON_CHARACTERS,
  MAX_EVERY_MS,
  MIN_EVERY_MS,
  scheduleTimes,
} from '#shared/job/schedule-times.ts';
import type { DefinedSchedule } from '#shared/postgres/statements/schedules.ts';
import {
  EITHER_UNIQUE,
  instantSchema,
  isEitherUnique,
  jobMembers,
  MAX_ATTEMPTS,
  MAX_UNIQUE_KEY_CHARACTERS,
  toEnqueueOptions,
  uniqueSchema,
} from '../enqueue-options.ts';
import type { EnqueueRequest } from '../new-job.ts';
import { toNewJob, writeArguments } from '../new-job.ts';

/** A thousand of them are inserted at once after an outage. */
const MAX_ARGS_BYTES = 16_384;
/** A day. */
const MAX_JITTER_MS = 86_400_000;

/** Of the job of each tick: not its times, and where its unique key is held the tick is skipped, whatever else an enqueue could do then. */
const jobOptionsSchema = z
  .strictObject({
    queue: z.string().optional(),
    maxAttempts: z.int().min(1).max(MAX_ATTEMPTS).optional(),
    uniqueKey: z.string().min(1).max(MAX_UNIQUE_KEY_CHARACTERS).optional(),
    ...z.object({ ...jobMembers, unique: uniqueSchema.omit({ onConflict: true }) }).partial().shape,
  })
  .refine(isEitherUnique, EITHER_UNIQUE);

export const scheduleInputSchema = z
  .strictObject({
    cron: z.string().min(1).max(MAX_CRON_CHARACTERS).optional(),
    everyMs: z.int().min(MIN_EVERY_MS).max(MAX_EVERY_MS).optional(),
    at: instantSchema.optional(),
    timezone: z.string().refine(isTimeZone, 'is no time zone').optional(),
    type: z.string().min(1).max(200),
    args: z.unknown(),
    overlap: z.enum(overlaps).optional(),
    catchUp: z.enum(catchUps).optional(),
    jitterMs: z.int().min(0).max(MAX_JITTER_MS).optional(),
    options: jobOptionsSchema.optional(),
    paused: z.boolean().optional(),
  })
  .refine(
    ({ cron, everyMs, at }) => [cron, everyMs, at].filter((given) => given !== undefined).length === 1,
    {
      error: 'give one of cron, everyMs and at',
      path: ['cron'],
    },
  )
  .refine(({ cron, timezone }) => cron !== undefined || timezone === undefined, {
    error: 'is for cron alone',
    path: ['timezone'],
  });

export interface ScheduleInput extends Timing, ScheduleSettings {
  /** A job type of the application. */
  type: string;
  args: unknown;
  /** Defaults to as it is, and to false for a new one. */
  paused?: boolean | undefined;
}

/** `nowMs`: by the database's clock. Throws `InvalidInput` with a pointer to what is wrong. */
export async function toDefinedSchedule(
  app: App,
  { name, ...given }: ScheduleInput & { name: string },
  { nowMs, encryption }: { nowMs: number; encryption?: Encryption | undefined },
): Promise<DefinedSchedule> {
  if (!isName(name)) throw refused('/name', 'is no name of a schedule: [a-z0-9_-]{1,60}');
  const parsed = scheduleInputSchema.safeParse(given);
  if (!parsed.success) throw wrong(toInputIssues(parsed.error.issues));
  const input = parsed.data;
  const nextTickMs = firstTick(input, nowMs);
  const options: ScheduledJobOptions = toEnqueueOptions(input.options ?? {}, '/options');
  const overlap = input.overlap ?? 'skip';
  if (overlap === 'queue' && options.orderingKey !== undefined)
    throw refused('/options/orderingKey', 'is not for a schedule whose jobs wait for each other');
  const request: EnqueueRequest = {
    definition: findDefinition(app, input.type),
    args: input.args,
    ...options,
    ...(overlap === 'queue' ? { orderingKey: `schedule:${name}` } : {}),
  };
  const { argsJson = '', ...job } = await aroundEnqueue(
    app.middleware.enqueue,
    [request],
    async ([changed = request]) => await toNewJob(changed, encryption),
  );
  if (Buffer.byteLength(argsJson) > MAX_ARGS_BYTES)
    throw refused('/args', `must have at most ${MAX_ARGS_BYTES} bytes as JSON`);
  if (!app.queues.has(job.queue))
    throw refused('/options/queue', `there are ${[...app.queues.keys()].join(', ')}`);
  const args = storedArguments(request.definition, job.args, encryption);
  return {
    name,
    app: app.name,
    cron: input.cron ?? null,
    everyMs: input.everyMs ?? null,
    at: input.at ?? null,
    timezone: input.timezone ?? 'UTC',
    type: input.type,
    args,
    options,
    job: { ...job, args },
    overlap,
    catchUp: input.catchUp ?? 'last',
    jitterMs: input.jitterMs ?? 0,
    paused: input.paused ?? null,
    nextTick: new Date(nextTickMs).toISOString(),
  };
}

/** Encrypted the same way each time, so that a definition that is told again is known to be the same. */
function storedArguments(definition: JobDefinition, args: unknown, encryption = noEncryption): unknown {
  if (definition.encrypted !== true) return args;
  return JSON.parse(writeArguments(definition, args, encryption, { sameAgain: true }));
}

/** Of one that comes once its only tick, though it may be past: it was missed then, and is caught up or not. */
function firstTick(timing: Timing, nowMs: number): number {
  if (timing.at !== undefined) return Date.parse(timing.at);
  const first = parseTimes(timing).next(nowMs);
  if (first === null) throw refused('/cron', 'never comes');
  return first;
}

function parseTimes(timing: Timing): ScheduleTimes {
  try {
    return scheduleTimes(timing);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw refused('/cron', error.message);
  }
}

function findDefinition({ definitions }: App, type: string) {
  const definition = definitions.get(type);
  if (definition !== undefined) return definition;
  const issues = [{ detail: `there are ${[...definitions.keys()].join(', ')}`, pointer: '/type' }];
  throw new InvalidInput('unknown_type', 'no such job type is registered', issues);
}

function refused(pointer: string, detail: string): InvalidInput {
  return wrong([{ detail, pointer }]);
}

function wrong(issues: ReturnType<typeof toInputIssues>): InvalidInput {
  const told = issues.map((issue) => `${issue.pointer} ${issue.detail}`).join('; ');
  return new InvalidInput('invalid_schedule', `the schedule is wrong: ${told}`, issues);
}
