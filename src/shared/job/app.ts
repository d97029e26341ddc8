/**
 * An application as a value: its name, its queues and its job types. Warren is what runs one; nothing in Warren knows a particular application.
 *
 * Guarantees: what `defineApp` returns is consistent (every job type has a queue of the application, no type stands twice, every name fits its
 * pattern). Pure: nothing is registered anywhere, so that two applications live in one process and share nothing.
 */
import type { Context, Hono } from 'hono';
import { InvalidInput, Misconfigured } from '../base/errors.ts';
import type { Sql } from '../postgres/database.ts';
import type { HandlerClient } from '../postgres/handler-client.ts';
import { findIsolationProblems } from './isolation.ts';
import type { Enqueued, EnqueueOptions, Job, JobContext, JobDefinition } from './job.ts';
import type { Limit } from './limit.ts';
import { findLimitProblems } from './limit.ts';
import type { EnqueueMiddleware, Middleware, NamesAdded, PerformMiddleware } from './middleware.ts';
import type { QueueGates } from './queue-gates.ts';
import { findGateProblems } from './queue-gates.ts';
import type { ScheduleDefinition } from './schedule.ts';
import type { CarriedTrace } from './trace.ts';

/**
 * How many jobs of a queue a worker runs at once: `channels` × `prefetch`, on so many AMQP channels. A queue of long jobs does best with a prefetch
 * of 1: each of them then has a message of its own, and goes to whoever is free.
 */
export interface QueueOptions extends QueueGates {
  /** 1 to 100. Defaults to 1. */
  channels?: number;
  /** 1 to 2000. Defaults to 10. */
  prefetch?: number;
}

/** What an application's services are made with. */
export interface AppResources {
  databaseUrl: string;
  /** A plain postgres.js client on Warren's database, with a pool of its own that opens with its first statement. Warren closes it. */
  sql: HandlerClient;
}

/**
 * What handlers need of their application: a value, or a function that makes one. It is called once by every worker and API when Postgres is
 * there; what it has made is disposed of when they stop, by `Symbol.asyncDispose` where it has that.
 */
export type ServicesOption<Services> = Services | ((resources: AppResources) => Services | Promise<Services>);

/** An operation of the OpenAPI document, as OpenAPI 3.1 has it. */
export interface RouteDocument {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** `/orders/{id}` for a route that Hono knows as `/orders/:id`. */
  path: string;
  /** The least that may use the route; `none`: everybody. Defaults to `operator`, for a route that is not documented too. */
  'x-role'?: 'viewer' | 'operator' | 'admin' | 'none';
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: 'path' | 'query' | 'header'; [member: string]: unknown }[];
  responses: Record<number, { description: string; content?: Record<string, { schema: object }> }>;
}

/** What an application's own routes are given. */
export interface RouteTools<Services = unknown> {
  services: Services;
  /** Resolves when the job is committed. Throws `InvalidInput`, `Conflict`, `QueueFull` or `Unavailable`, which the API answers with 422, 409, 429 and 503. */
  enqueue<Args, Input>(
    definition: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    options?: EnqueueOptions,
  ): Promise<Enqueued>;
  /**
   * Runs one statement on the API's own pool, within the API's deadline less `waitedMs`. Throws `Unavailable` where Postgres is away or late.
   */
  query<T>(statement: (sql: Sql) => Promise<T>, waitedMs?: number): Promise<T>;
  /** The trace of the request, to be handed on among the options of what it enqueues. */
  traceOf(c: Context): CarriedTrace;
  /** Tells the OpenAPI document of a route, and who may use it. */
  document(route: RouteDocument): void;
}

/** All that these job types need of their application, together: what their contexts name as `services`. */
export type ServicesOf<Definition> = (
  Definition extends { perform(args: never, context: JobContext<infer Services>): unknown }
    ? (services: Services) => void
    : never
) extends (services: infer All) => void
  ? All
  : never;

// biome-ignore lint/suspicious/noExplicitAny: handlers take their own arguments; any list of job types fits here
type AnyDefinition = JobDefinition<any, any, any>;

export interface AppOptions<
  Definitions extends readonly AnyDefinition[] = AnyDefinition[],
  Services = unknown,
  Performs extends readonly PerformMiddleware[] = readonly PerformMiddleware[],
> {
  /** `[a-z0-9_-]{1,60}`, the same in every program of the application. */
  name: string;
  /** The queues by name (`[a-z0-9_-]{1,60}`). */
  queues: Readonly<Record<string, QueueOptions>>;
  jobs: readonly [...Definitions];
  /** Made by `defineSchedule`, of job types of the application. Defaults to none. */
  schedules?: readonly ScheduleDefinition[] | undefined;
  /** The limits that its jobs may name (`[a-z0-9_-]{1,60}`). Defaults to none. */
  limits?: Readonly<Record<string, Limit>> | undefined;
  /** Must be given where a job type needs some. */
  services?: ServicesOption<Services>;
  /** Around every enqueue and every run of a handler, the first outermost (docs/middleware.md). Defaults to none. */
  middleware?:
    | { enqueue?: readonly EnqueueMiddleware[] | undefined; perform?: readonly [...Performs] | undefined }
    | undefined;
  /** `baggage`: the active baggage of OpenTelemetry, and that of a request's header, travels with the jobs (docs/tracing.md#baggage). Defaults to false. */
  trace?: { baggage?: boolean | undefined } | undefined;
  /** Registers routes of the application's own on the API, behind its access control and before its other routes. Defaults to none. */
  routes?: ((app: Hono, tools: RouteTools<NoInfer<Services>>) => void) | undefined;
  /** Brings the application's own schema up to date, after Warren's and one process at a time. Running it again must change nothing. */
  migrate?: ((resources: AppResources) => Promise<void>) | undefined;
  /**
   * Takes jobs before they are deleted, up to 200 at once; while it rejects, or has not resolved within ten seconds (`signal`), they are not deleted, and
   * come again. A job may come more than once. Called by the worker that leads. Defaults to none.
   */
  archive?: ArchiveHandler | undefined;
  /**
   * `import.meta.url` of the module that exports this application as `app`. A job that has taken its process down twice runs the third time in a
   * process of its own, which imports this module, so that importing it must start nothing. Without it such a job is discarded the third time, and
   * no job type can be isolated (docs/isolation.md).
   * Programs that load the application by its module know it already.
   */
  module?: string | undefined;
}

/** See `AppOptions.archive`. */
export type ArchiveHandler = (jobs: readonly Job[], context: { signal: AbortSignal }) => Promise<void> | void;

/** Applications whose job types need services must bring them. */
type WithNeededServices<Needed> = unknown extends Needed
  ? unknown
  : keyof Needed extends never
    ? unknown
    : { services: unknown };

/** What the job types need, and no middleware adds. */
type NeededServices<Definition, One> = [NamesAdded<One>] extends [never]
  ? ServicesOf<Definition>
  : Omit<ServicesOf<Definition>, NamesAdded<One>>;

export interface App {
  readonly name: string;
  readonly queues: ReadonlyMap<string, { channels: number; prefetch: number }>;
  /** What holds for the ordering keys and the groups of its queues, by queue. */
  readonly queueGates: ReadonlyMap<string, QueueGates>;
  /** The job types by name. */
  readonly definitions: ReadonlyMap<string, JobDefinition>;
  readonly schedules: readonly ScheduleDefinition[];
  /** What its jobs may count against, by name. */
  readonly limits: ReadonlyMap<string, Limit>;
  readonly services: ServicesOption<unknown>;
  readonly middleware: Middleware;
  readonly trace: { readonly baggage: boolean };
  readonly routes: ((app: Hono, tools: RouteTools) => void) | undefined;
  readonly migrate: ((resources: AppResources) => Promise<void>) | undefined;
  readonly archive: ArchiveHandler | undefined;
  readonly module: string | undefined;
}

const NAME = /^[a-z0-9_-]{1,60}$/;
export const MAX_CHANNELS = 100;
export const MAX_PREFETCH = 2_000;

/** Whether it can be the name of a queue or an application. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Throws `Misconfigured` with all that is wrong in one line. */
export function defineApp<
  const Definitions extends readonly AnyDefinition[],
  const Performs extends readonly PerformMiddleware[] = [],
  Services extends NeededServices<Definitions[number], Performs[number]> = NeededServices<
    Definitions[number],
    Performs[number]
  >,
>(
  options: AppOptions<Definitions, Services, Performs> &
    WithNeededServices<NeededServices<Definitions[number], Performs[number]>>,
): App {
  const {
    name,
    queues,
    jobs,
    schedules = [],
    limits = {},
    services,
  }: AppOptions<Definitions, Services, Performs> = options;
  const { routes, migrate, archive, module, middleware, trace }: AppOptions<Definitions, Services, Performs> =
    options;
  const problems = [
    ...findNameProblems('application', [name]),
    ...findNameProblems('queue', Object.keys(queues)),
    ...Object.entries(queues).flatMap(([queue, options]) => findBoundProblems(queue, options)),
    ...Object.entries(queues).flatMap(([queue, options]) =>
      findGateProblems(options).map((problem) => `queue "${queue}" ${problem}`),
    ),
    ...findTypeProblems(jobs, queues),
    ...findScheduleProblems(schedules, jobs),
    ...findNameProblems('limit', Object.keys(limits)),
    ...Object.entries(limits).flatMap(([name, limit]) =>
      findLimitProblems(limit).map((problem) => `limit "${name}" ${problem}`),
    ),
  ];
  if (problems.length > 0) throw new Misconfigured(`the application is wrong: ${problems.join('; ')}`);
  return {
    name,
    queues: new Map(
      Object.entries(queues).map(([queue, { channels = 1, prefetch = 10 }]) => [
        queue,
        { channels, prefetch },
      ]),
    ),
    queueGates: new Map(
      Object.entries(queues).map(([queue, { onDiscard, groups }]) => [queue, { onDiscard, groups }]),
    ),
    definitions: new Map(jobs.map((definition) => [definition.type, definition])),
    schedules,
    limits: new Map(Object.entries(limits)),
    services,
    middleware: { enqueue: middleware?.enqueue ?? [], perform: middleware?.perform ?? [] },
    trace: { baggage: trace?.baggage ?? false },
    routes: routes as App['routes'], // given what `services` has made
    migrate,
    archive,
    module,
  };
}

/** Throws `InvalidInput` where the job type is none of the application's: no worker would ever run its jobs. */
export function assertKnown({ name, definitions }: App, definition: JobDefinition): void {
  if (definitions.get(definition.type) !== definition)
    throw new InvalidInput('unknown_type', `application "${name}" has no such job type "${definition.type}"`);
}

function findNameProblems(what: string, names: readonly string[]): string[] {
  return names
    .filter((name) => !isName(name))
    .map((name) => `"${name}" is no ${what} name: [a-z0-9_-]{1,60}`);
}

function findBoundProblems(queue: string, { channels = 1, prefetch = 1 }: QueueOptions): string[] {
  const isWithin = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  if (isWithin(channels, MAX_CHANNELS) && isWithin(prefetch, MAX_PREFETCH)) return [];
  return [`queue "${queue}" must have 1 to ${MAX_CHANNELS} channels and a prefetch of 1 to ${MAX_PREFETCH}`];
}

function findTypeProblems(
  jobs: readonly Pick<JobDefinition, 'type' | 'queue' | 'isolation' | 'isolationLimits'>[],
  queues: AppOptions['queues'],
): string[] {
  const seen = new Set<string>();
  return jobs.flatMap((definition) => {
    const { type, queue } = definition;
    const problems = findIsolationProblems(definition).map((problem) => `job type "${type}" ${problem}`);
    if (seen.has(type)) problems.push(`job type "${type}" stands twice`);
    if (!Object.hasOwn(queues, queue))
      problems.push(`job type "${type}" has queue "${queue}", which the application has not`);
    seen.add(type);
    return problems;
  });
}

/** Their times and arguments are looked at when a worker tells of them: a schema may be asynchronous. */
function findScheduleProblems(
  schedules: readonly ScheduleDefinition[],
  jobs: readonly Pick<JobDefinition, 'type'>[],
): string[] {
  const names = schedules.map(({ name }) => name);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [
    ...findNameProblems('schedule', names),
    ...twice.map((name) => `schedule "${name}" stands twice`),
    ...schedules
      .filter(({ job }) => !jobs.some(({ type }) => type === job.type))
      .map(({ name, job }) => `schedule "${name}" has job type "${job.type}", which the application has not`),
  ];
}
