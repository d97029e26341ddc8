/**
 * What every face asks about jobs and queues: one job, a page of jobs, the queues with what waits and runs in them.
 *
 * Guarantees: answers without RabbitMQ, whose numbers are null then; a page is bounded in bytes, and how many jobs are read whole at once is too;
 * however many ask for the queues, they are counted once a second. Changes nothing.
 */
import { cached } from '#shared/base/cached.ts';
import { InvalidInput, NotFound } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import type { JobFilter, SearchFilter } from '#shared/job/job-filter.ts';
import type { JobLife } from '#shared/job/job-life.ts';
import type { JobLogLine } from '#shared/job/job-note.ts';
import type { ListedJob } from '#shared/job/listed-job.ts';
import { toSearched } from '#shared/job/redaction.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { jobStates } from '#shared/job/transitions.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { QueueCount } from '#shared/postgres/statements/counts.ts';
import { countJobs, countMatchingJobs } from '#shared/postgres/statements/counts.ts';
import { findLogs } from '#shared/postgres/statements/job-notes.ts';
import { findLife } from '#shared/postgres/statements/life.ts';
import type { QueueSettings, StoredQueue } from '#shared/postgres/statements/queues.ts';
import { findQueues } from '#shared/postgres/statements/queues.ts';
import type { QueueAge } from '#shared/postgres/statements/read.ts';
import { findJobs, findQueueAges } from '#shared/postgres/statements/read.ts';
import type { UnservedType } from '#shared/postgres/statements/unserved-types.ts';
import { findUnservedTypes } from '#shared/postgres/statements/unserved-types.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { QueueDepth } from '#shared/rabbitmq/queue-depth.ts';
import { DEAD_LETTERS, findDepthsNow } from '#shared/rabbitmq/queue-depth.ts';
import { createLookup } from './lookup.ts';
import { searchJobs } from './search.ts';

/** Jobs that are read with one statement. Two megabytes each at most, and two statements at once: the heap has room for that. */
const MAX_SHOWN_JOBS = 10;
/** Of a job's log: ten attempts that have said as much as they may. */
const MAX_SHOWN_LINES = 10_000;
const FRESH_MS = 1_000;

export interface JobPageRequest extends JobFilter {
  /** The `nextCursor` of the page before. Defaults to the newest jobs. */
  cursor?: string | undefined;
  /** Jobs in the page at most. */
  limit: number;
}

/** Of whoever asks. */
export interface Sight {
  /** The application's own code: `q` looks in all arguments, hidden ones and those of unknown types too. Defaults to false. */
  seesHidden?: boolean;
}

export interface JobPage {
  /** Newest first. Fewer than the limit, or none, where the time was over before so many were found. */
  jobs: ListedJob[];
  /** Null on the last page. */
  nextCursor: string | null;
}

/** With what is set for it: null where nothing is. */
export interface QueueOverview extends QueueSettings {
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
  /** What the handler of this job has said in its attempts, the oldest first, at most 10 000 lines. Throws `NotFound`. */
  logs(id: string): Promise<JobLogLine[]>;
  /** When its message was confirmed, who has it, whether it was asked to stop. Throws `NotFound`. */
  life(id: string): Promise<JobLife>;
  /** How many jobs there are in each state, of a type and in a queue where they are given: from the kept counts, however many there are. */
  counts(filter: Pick<JobFilter, 'type' | 'queue'>): Promise<Record<JobState, number>>;
  /** Throws `InvalidInput` for a cursor that is none. */
  list(request: JobPageRequest, sight?: Sight): Promise<JobPage>;
  /** All queues: those of the application in its order, then those of others. */
  queues(): Promise<QueueOverview[]>;
  /** What RabbitMQ has of the queues that were asked for last, and of the dead letters under the name `dead`; undefined without RabbitMQ. */
  depths(): Promise<ReadonlyMap<string, QueueDepth> | undefined>;
}

export interface BrowserOptions {
  database: Database;
  connection: BrokerConnection;
  /** The queues of the application. */
  queues: readonly string[];
  definitions: ReadonlyMap<string, JobDefinition>;
}

export function createBrowser({ database, connection, queues, definitions }: BrowserOptions): Browser {
  const findJob = createLookup(database, findJobs, { maxRows: MAX_SHOWN_JOBS });
  const counts = cached(() => database.query(countJobs), FRESH_MS);
  let names = queues;
  const depths = cached(() => findDepthsNow(connection, [...names, DEAD_LETTERS]), FRESH_MS);
  return {
    find: async (id) => {
      const job = parseId(id) === null ? undefined : await findJob(id);
      if (job === undefined) throw new NotFound('there is no such job');
      return job;
    },
    logs: async (id) => {
      if (parseId(id) === null) throw new NotFound('there is no such job');
      const lines = await database.query((sql) => findLogs(sql, id, MAX_SHOWN_LINES));
      if (lines.length === 0 && (await findJob(id)) === undefined) throw new NotFound('there is no such job');
      return lines;
    },
    life: async (id) => {
      const life = parseId(id) === null ? undefined : await database.query((sql) => findLife(sql, id));
      if (life === undefined) throw new NotFound('there is no such job');
      return life;
    },
    counts: async ({ type, queue }) => {
      const sums = noJobs();
      for (const { state, count } of await database.query((sql) => countMatchingJobs(sql, { type, queue })))
        sums[state] += count;
      return sums;
    },
    list: async ({ cursor, limit, ...given }, { seesHidden = false } = {}) => {
      const before = cursor === undefined ? undefined : parseCursor(cursor);
      const filter = seesHidden ? given : withSearched(given, definitions);
      const { jobs, next } = await searchJobs(database, filter, { before, limit });
      return { jobs, nextCursor: next };
    },
    depths,
    queues: async () => {
      const told = await database.query(findQueues);
      names = [...new Set([...queues, ...told.map(({ name }) => name)])];
      // One after the other: a connection that were opened for a look would cost many times what the statement does.
      const ages = await database.query((sql) => findQueueAges(sql, names));
      const unserved = await database.query(findUnservedTypes);
      const counted = await counts();
      const depthsByQueue = await depths();
      const stored = new Map(told.map((queue) => [queue.name, queue]));
      return names.map((name) =>
        toOverview(name, {
          stored: stored.get(name),
          ages,
          unserved,
          counted,
          depth: depthsByQueue?.get(name),
        }),
      );
    },
  };
}

/** Where `q` is given it looks only in what is shown. */
export function withSearched<Filter extends JobFilter>(
  filter: Filter,
  definitions: ReadonlyMap<string, JobDefinition>,
): Filter & SearchFilter {
  return filter.q === undefined ? filter : { ...filter, searched: toSearched(definitions) };
}

/** A cursor is an id: the page before has looked at it and all that are larger. */
function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== null) return id;
  const issues = [{ detail: 'is not the nextCursor of a page', pointer: '/cursor' }];
  throw new InvalidInput('invalid_request', 'the cursor is malformed', issues);
}

function noJobs(): Record<JobState, number> {
  return Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
}

interface QueueFacts {
  stored: StoredQueue | undefined;
  ages: readonly QueueAge[];
  unserved: readonly UnservedType[];
  counted: readonly QueueCount[];
  depth: QueueDepth | undefined;
}

function toOverview(name: string, { stored, ages, unserved, counted, depth }: QueueFacts): QueueOverview {
  const counts = noJobs();
  for (const { queue, state, count } of counted) if (queue === name) counts[state] = count;
  return {
    name,
    paused: stored?.paused === true,
    channels: stored?.channels ?? null,
    prefetch: stored?.prefetch ?? null,
    maxDepth: stored?.maxDepth ?? null,
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
