/**
 * What every face asks about jobs and queues: one job, a page of jobs, the queues with what waits and runs in them.
 *
 * Guarantees: answers without RabbitMQ, whose numbers are null then; a page is bounded in bytes, and how many jobs are read whole at once is too;
 * however many ask for the queues, they are counted once a second. Changes nothing.
 */
import { cached } from '#shared/base/cached.ts';
import { InvalidInput, NotFound } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Job } from '#shared/job/job.ts';
import type { JobFilter, ListedJob } from '#shared/job/listed-job.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { jobStates } from '#shared/job/transitions.ts';
import type { Database } from '#shared/postgres/database.ts';
import { listJobs } from '#shared/postgres/statements/list.ts';
import { findQueues } from '#shared/postgres/statements/queues.ts';
import type { QueueAge, QueueCount } from '#shared/postgres/statements/read.ts';
import { countJobs, findJobs, findQueueAges } from '#shared/postgres/statements/read.ts';
import type { UnservedType } from '#shared/postgres/statements/unserved-types.ts';
import { findUnservedTypes } from '#shared/postgres/statements/unserved-types.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { QueueDepth } from '#shared/rabbitmq/queue-depth.ts';
import { findQueueDepths } from '#shared/rabbitmq/queue-depth.ts';
import { createLookup } from './lookup.ts';

/** Jobs that are read with one statement. Two megabytes each at most, and two statements at once: the heap has room for that. */
const MAX_SHOWN_JOBS = 10;
/** Counting reads the whole table. The other statements keep the short deadline and tell first when Postgres is away. */
const COUNT_DEADLINE_MS = 10_000;
const FRESH_MS = 1_000;

export interface JobPageRequest extends JobFilter {
  /** The `nextCursor` of the page before. Defaults to the newest jobs. */
  cursor?: string | undefined;
  /** Jobs in the page at most. */
  limit: number;
}

export interface JobPage {
  /** Newest first. */
  jobs: ListedJob[];
  /** Null on the last page. */
  nextCursor: string | null;
}

export interface QueueOverview {
  name: string;
  paused: boolean;
  /** Jobs that wait and that no worker has claimed. Null without RabbitMQ. */
  ready: number | null;
  /** Jobs that run. Null without RabbitMQ. */
  unacked: number | null;
  /** Null without RabbitMQ. */
  consumers: number | null;
  counts: Record<JobState, number>;
  /** How long the oldest job that could run has been waiting. Null where none waits. */
  oldestAvailableSeconds: number | null;
  /** What waits here for ten minutes or more without a living worker that knows its type. */
  unknownTypes: Pick<UnservedType, 'type' | 'jobs' | 'since'>[];
}

export interface Browser {
  /** The job with this id, which may be any text. Throws `NotFound`. */
  find(id: string): Promise<Job>;
  /** Throws `InvalidInput` for a cursor that is none. */
  list(request: JobPageRequest): Promise<JobPage>;
  /** All queues: those of the application in its order, then those of others. */
  queues(): Promise<QueueOverview[]>;
}

export interface BrowserOptions {
  database: Database;
  connection: BrokerConnection;
  /** The queues of the application. */
  queues: readonly string[];
}

export function createBrowser({ database, connection, queues }: BrowserOptions): Browser {
  const findJob = createLookup(database, findJobs, { maxRows: MAX_SHOWN_JOBS });
  const counts = cached(() => database.query(countJobs, COUNT_DEADLINE_MS), FRESH_MS);
  let names = queues;
  const depths = cached(() => readDepths(connection, names), FRESH_MS);
  return {
    find: async (id) => {
      const job = parseId(id) === null ? undefined : await findJob(id);
      if (job === undefined) throw new NotFound('there is no such job');
      return job;
    },
    list: async ({ cursor, limit, ...filter }) => {
      const before = cursor === undefined ? undefined : parseCursor(cursor);
      const found = await database.query((sql) => listJobs(sql, { ...filter, before, limit: limit + 1 }));
      const jobs = found.slice(0, limit);
      return { jobs, nextCursor: found.length > limit ? (jobs.at(-1)?.id ?? null) : null };
    },
    queues: async () => {
      const told = await database.query(findQueues);
      names = [...new Set([...queues, ...told.map(({ name }) => name)])];
      const [ages, unserved, counted, depthsByQueue] = await Promise.all([
        database.query((sql) => findQueueAges(sql, names)),
        database.query(findUnservedTypes),
        counts(),
        depths(),
      ]);
      const paused = told.filter((queue) => queue.paused).map(({ name }) => name);
      return names.map((name) =>
        toOverview(name, { paused, ages, unserved, counted, depth: depthsByQueue.get(name) }),
      );
    },
  };
}

/** A cursor is the last id of the page before. */
function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== null) return id;
  const issues = [{ detail: 'is not the nextCursor of a page', pointer: '/cursor' }];
  throw new InvalidInput('invalid_request', 'the cursor is malformed', issues);
}

/** A blocked connection would not even hear the question. */
async function readDepths(
  { model, blocked }: BrokerConnection,
  queues: readonly string[],
): Promise<Map<string, QueueDepth>> {
  if (model === undefined || blocked) return new Map();
  return await findQueueDepths(model, queues);
}

interface QueueFacts {
  paused: readonly string[];
  ages: readonly QueueAge[];
  unserved: readonly UnservedType[];
  counted: readonly QueueCount[];
  depth: QueueDepth | undefined;
}

function toOverview(name: string, { paused, ages, unserved, counted, depth }: QueueFacts): QueueOverview {
  const counts = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
  for (const { queue, state, count } of counted) if (queue === name) counts[state] = count;
  return {
    name,
    paused: paused.includes(name),
    ready: depth === undefined ? null : counts.available,
    unacked: depth === undefined ? null : counts.running,
    consumers: depth?.consumers ?? null,
    counts,
    oldestAvailableSeconds: ages.find(({ queue }) => queue === name)?.oldestAvailableSeconds ?? null,
    unknownTypes: unserved
      .filter(({ queue }) => queue === name)
      .map(({ type, jobs, since }) => ({ type, jobs, since })),
  };
}
