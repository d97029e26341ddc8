/**
 * Which queues are paused. A paused queue takes jobs and runs none. A queue without a row is not paused.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';

/** The names of the paused queues. */
export async function findPausedQueues(sql: Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`select name from warren.queues where paused`;
  return rows.map(({ name }) => name);
}

/** Every queue that a program has told of, or somebody has paused. */
export async function findQueues(sql: Sql): Promise<{ name: string; paused: boolean }[]> {
  return await sql<{ name: string; paused: boolean }[]>`select name, paused from warren.queues order by name`;
}

/** From this commit on no job of the queue is claimed; the workers are told, and stop consuming. */
export async function pauseQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    with paused as (
      insert into warren.queues (name, paused) values (${name}, true)
      on conflict (name) do update set paused = true, changed_at = now()
    )
    select ${notify(sql, { kind: 'queues' })}`;
}

/** Lets the queue's jobs run again. Messages that were refused meanwhile are with the relay, which sends them within seconds. */
export async function resumeQueue(sql: Sql, name: string): Promise<void> {
  await sql`
    with resumed as (
      update warren.queues set paused = false, changed_at = now() where name = ${name}
    )
    select ${notify(sql, { kind: 'queues' })}`;
}
