/**
 * The queues for people: what waits, what runs and who consumes, from Postgres and RabbitMQ together; pause and resume.
 *
 * Answers without RabbitMQ: its numbers are null then.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import { cached } from '#shared/base/cached.ts';
import type { JobState } from '#shared/job/job.ts';
import { jobStates } from '#shared/job/job.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findPausedQueues, pauseQueue, resumeQueue } from '#shared/postgres/statements/queues.ts';
import type { QueueCount } from '#shared/postgres/statements/read.ts';
import { countJobs, findQueueAges } from '#shared/postgres/statements/read.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { QueueDepth } from '#shared/rabbitmq/queue-depth.ts';
import { findQueueDepths } from '#shared/rabbitmq/queue-depth.ts';
import { pauseRoute, queuesRoute, resumeRoute } from '../contract/queue.ts';

/** Counting reads the whole table. The other statements keep the short deadline and tell first when Postgres is away. */
const COUNT_DEADLINE_MS = 10_000;
const FRESH_MS = 1_000;

export interface QueueDependencies {
  database: Database;
  publisher: Publisher;
  /** The queues of the application. */
  queues: readonly string[];
}

export function registerQueues(
  app: OpenAPIHono,
  { database, publisher, queues: names }: QueueDependencies,
): void {
  const counts = cached(() => database.query(countJobs, COUNT_DEADLINE_MS), FRESH_MS);
  const depths = cached(() => readDepths(publisher, names), FRESH_MS);

  app.openapi(queuesRoute, async (c) => {
    const [paused, ages, counted, depthsByQueue] = await Promise.all([
      database.query(findPausedQueues),
      database.query((sql) => findQueueAges(sql, names)),
      counts(),
      depths(),
    ]);
    const queues = names.map((name) => {
      const states = countsOf(name, counted);
      const depth = depthsByQueue.get(name);
      return {
        name,
        paused: paused.includes(name),
        ready: depth?.ready ?? null,
        unacked: depth === undefined ? null : states.running,
        consumers: depth?.consumers ?? null,
        counts: states,
        oldestAvailableSeconds: ages.find(({ queue }) => queue === name)?.oldestAvailableSeconds ?? null,
      };
    });
    return c.json({ queues }, 200);
  });

  app.openapi(pauseRoute, async (c) => {
    const name = existingQueue(c.req.valid('param').name, names);
    await database.query((sql) => pauseQueue(sql, name));
    return c.json({ name, paused: true }, 200);
  });

  app.openapi(resumeRoute, async (c) => {
    const name = existingQueue(c.req.valid('param').name, names);
    await database.query((sql) => resumeQueue(sql, name));
    return c.json({ name, paused: false }, 200);
  });
}

/** A blocked connection would not even hear the question. */
async function readDepths(
  { connection }: Publisher,
  queues: readonly string[],
): Promise<Map<string, QueueDepth>> {
  if (connection.model === undefined || connection.blocked) return new Map();
  return await findQueueDepths(connection.model, queues);
}

function countsOf(name: string, counted: readonly QueueCount[]): Record<JobState, number> {
  const counts = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
  for (const { queue, state, count } of counted) if (queue === name) counts[state] = count;
  return counts;
}

function existingQueue(name: string, queues: readonly string[]): string {
  if (queues.includes(name)) return name;
  throw new HTTPException(404, { message: `there is no such queue: there are ${queues.join(', ')}` });
}
