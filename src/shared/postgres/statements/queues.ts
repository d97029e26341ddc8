/**
 * What people set of queues and job types while the programs run: which are paused, how many channels a queue has in every worker, how many jobs may
 * wait in it. A paused queue or type takes jobs and runs none. A queue without a row is as the programs have it.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import { waitAtFirstGate } from './states.ts';

/** Null: as each worker's WORKER_QUEUES has it, or the application; without a limit. */
export interface QueueSettings {
  /** How many AMQP channels each worker has on the queue. */
  channels: number | null;
  /** How many jobs each of them may have at once. */
  prefetch: number | null;
  /** How many jobs may wait: more are refused. */
  maxDepth: number | null;
}

/** What is to be set: a member that is absent stays as it is. */
export type QueueChanges = { [Member in keyof QueueSettings]?: QueueSettings[Member] | undefined };

export interface StoredQueue extends QueueSettings {
  name: string;
  paused: boolean;
}

/** Every queue that a program has told of, or for which somebody has set something. */
export async function findQueues(sql: Sql): Promise<StoredQueue[]> {
  return await sql<StoredQueue[]>`
    select name, paused, channels, prefetch, max_depth as "maxDepth" from warren.queues order by name`;
}

/** Sets what is given: null goes back to what the programs have, a member that is absent stays as it is. The workers are told. */
export async function setQueue(
  sql: Sql,
  name: string,
  { channels, prefetch, maxDepth }: QueueChanges,
): Promise<StoredQueue> {
  const given = JSON.stringify({ channels, prefetch, max_depth: maxDepth });
  const [row] = await sql<StoredQueue[]>`
    with given as (select ${given}::text::jsonb as settings),
    set as (
      insert into warren.queues as queue (name, channels, prefetch, max_depth)
      select ${name}, (settings->>'channels')::int, (settings->>'prefetch')::int, (settings->>'max_depth')::int from given
      on conflict (name) do update
      set channels = case when (select settings ? 'channels' from given) then excluded.channels else queue.channels end,
        prefetch = case when (select settings ? 'prefetch' from given) then excluded.prefetch else queue.prefetch end,
        max_depth = case when (select settings ? 'max_depth' from given) then excluded.max_depth else queue.max_depth end,
        changed_at = now()
      returning *
    )
    select name, paused, channels, prefetch, max_depth as "maxDepth", ${notify(sql, { kind: 'queues' })} as told from set`;
  if (row === undefined) throw new Error(`the queue ${name} was not stored`);
  const { told: _, ...stored } = row as StoredQueue & { told: unknown };
  return stored;
}

/** From this commit on no job of the queue is claimed; the workers are told, and stop consuming. */
export async function pauseQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    with paused as (
      insert into warren.queues as queue (name, paused, paused_at) values (${name}, true, now())
      on conflict (name) do update
      set paused = true, changed_at = now(), paused_at = case when queue.paused then queue.paused_at else now() end
    )
    select ${notify(sql, { kind: 'queues' })}`;
}

/**
 * Lets the queue's jobs run again. Messages that were refused meanwhile are with the relay, which sends them within seconds. Held jobs with an order wait
 * at that again from this commit on: at the gate of the pause, a job that comes now would pass them. Index: jobs_held.
 */
export async function resumeQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    with resumed as (
      update warren.queues set paused = false, paused_at = null, changed_at = now() where name = ${name}
    ),
    ordered as (
      update warren.jobs job set ${waitAtFirstGate(sql)}
      where state = 'held' and held_for collate "C" = 'pause:' || ${name} and ordering_key is not null
    )
    select ${notify(sql, { kind: 'queues' })}`;
}
