/**
 * What the row of a job knows of its message: whether the broker has it, and that it is spent. One statement each, for many jobs at once.
 *
 * Guarantees: a note about an earlier message of a job says nothing about the one that it waits for now, by the fence. All times come from the
 * database's clock. Must not know RabbitMQ.
 */
import type { Publishable } from '../../job/publishable.ts';
import type { Sql } from '../database.ts';
import { areClaimsOpen, bigints } from './parts.ts';
import { mayById } from './states.ts';

/** How long the relay waits before it repeats a spent message, in milliseconds. */
const SPENT_MESSAGE_MS = 2_000;

/**
 * Notes that the broker has the messages of these jobs. A job claimed meanwhile needs no note (the claim made it), and one that waits again after
 * a claim must not get it: hence the fence.
 */
export async function markPublished(
  sql: Sql,
  jobs: readonly Pick<Publishable, 'id' | 'fence'>[],
): Promise<void> {
  await sql`
    with unmarked as (
      select job.id
      from jsonb_to_recordset(${JSON.stringify(jobs)}::text::jsonb) as given(id bigint, fence int), lateral (
        select job.id from warren.jobs job -- one look-up each: a join of thousands may be planned for a few
        where job.id = given.id and job.fence = given.fence and ${mayById(sql, 'claim')} and published_at is null
        for no key update skip locked -- what is locked is being claimed, and a claim that waited for us could be waited for
      ) as job
    )
    update warren.jobs set published_at = now() where id = any(array(select id from unmarked))`;
}

/**
 * Dates the marks of those of the jobs that are available anew, and returns these: their ids go to the end of the queue, and a mark of old would tell
 * the reconciler that they were overtaken. What is locked is being claimed; it is left out. By primary key.
 */
export async function renewMarks(sql: Sql, ids: readonly string[]): Promise<Publishable[]> {
  return await sql<Publishable[]>`
    with waiting as (
      select id from warren.jobs job
      where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'claim')}
      for no key update skip locked
    )
    update warren.jobs job
    set published_at = case when published_at is null then null else now() end -- without a mark it is the relay's to repeat
    where id = any(array(select id from waiting))
    returning id, type, queue, fence`;
}

/**
 * Notes that the messages of these jobs are spent: the relay sends new ones after `repeatAfterMs`, doubled with every message that was spent before,
 * up to `atMostMs`, should the jobs wait then. A mark of the spent message that comes later must not hide a waiting job, hence the fence, which
 * stays while claims are not open. Jobs that have ended or are not due are left alone.
 */
export async function spendMessages(
  sql: Sql,
  ids: readonly string[],
  {
    repeatAfterMs = SPENT_MESSAGE_MS,
    atMostMs = repeatAfterMs,
  }: { repeatAfterMs?: number; atMostMs?: number } = {},
): Promise<void> {
  await sql`
    update warren.jobs job
    set published_at = null,
      relay_at = now() + least(${atMostMs}, ${repeatAfterMs} * 2 ^ least(fence - attempt, 16)) * interval '1 ms',
      fence = fence + case when state = 'available' and ${areClaimsOpen(sql)} then 1 else 0 end
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'spend')}`;
}
