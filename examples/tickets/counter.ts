/**
 * The tickets in Postgres. A ticket and its job come into being in one statement: there is none without the other.
 */
import type { HandlerClient, Sql } from 'warren/app';

/** What the workers do at the counter. */
export interface Counter {
  /** False where the ticket has been served already: its worker died before it could say so, and the job runs once more. */
  begin(number: number, worker: string): Promise<boolean>;
  /** Serves it, unless somebody has. */
  finish(number: number, worker: string): Promise<void>;
}

export interface Ticket {
  number: number;
  state: 'waiting' | 'serving' | 'served';
  /** How many are before it; 0 when it is its turn. */
  place: number;
  /** Since when it has been served, in seconds. */
  servingSeconds: number | null;
  servedBy: string | null;
}

export interface Line {
  serving: { number: number; worker: string; seconds: number }[];
  /** How many wait, and the next of them. */
  waiting: number;
  next: number[];
  served: number;
}

const SHOWN = 20;

export function createCounter(sql: HandlerClient): Counter {
  return {
    begin: async (number, worker) => {
      const { count } = await sql`
        update tickets.tickets set served_by = ${worker}, serving_since = clock_timestamp()
        where number = ${number} and served_at is null`;
      return count > 0;
    },
    finish: async (number, worker) => {
      await sql`
        update tickets.tickets set served_by = ${worker}, served_at = clock_timestamp(), times_served = times_served + 1
        where number = ${number} and served_at is null`;
    },
  };
}

export async function takeTicket(sql: Sql): Promise<number> {
  const [ticket] = await sql<{ number: number }[]>`
    with ticket as (
      insert into tickets.tickets default values returning number
    )
    select number, warren.enqueue('serve-ticket', jsonb_build_object('number', number)) from ticket`;
  if (ticket === undefined) throw new Error('an insert without an answer');
  return ticket.number;
}

/** Undefined where nobody has taken it. Indexes: the primary key, tickets_waiting. */
export async function findTicket(sql: Sql, number: number): Promise<Ticket | undefined> {
  const [ticket] = await sql<Ticket[]>`
    select number, served_by as "servedBy",
      case when served_at is not null then 'served' when serving_since is not null then 'serving' else 'waiting' end as state,
      case when serving_since is not null then 0
        else (select count(*)::int from tickets.tickets before
          where served_at is null and serving_since is null and before.number < ticket.number) end as place,
      extract(epoch from coalesce(served_at, clock_timestamp()) - serving_since)::float8 as "servingSeconds"
    from tickets.tickets ticket where number = ${number}`;
  return ticket;
}

export async function readLine(sql: Sql): Promise<Line> {
  const [line] = await sql<Line[]>`
    select
      coalesce((select json_agg(json_build_object('number', number, 'worker', served_by,
          'seconds', extract(epoch from clock_timestamp() - serving_since)) order by number)
        from tickets.tickets where served_at is null and serving_since is not null), '[]') as serving,
      (select count(*)::int from tickets.tickets where served_at is null and serving_since is null) as waiting,
      coalesce((select json_agg(number) from (
        select number from tickets.tickets where served_at is null and serving_since is null order by number limit ${SHOWN}
      ) as next), '[]') as next,
      (select count(*)::int from tickets.tickets where served_at is not null) as served`;
  return line ?? { serving: [], waiting: 0, next: [], served: 0 };
}

/** Running it again changes nothing. */
export async function createTicketsTable(sql: HandlerClient): Promise<void> {
  await sql`create schema if not exists tickets`;
  await sql`
    create table if not exists tickets.tickets (
      number int generated always as identity primary key,
      taken_at timestamptz not null default now(),
      served_by text,
      serving_since timestamptz,
      served_at timestamptz,
      times_served int not null default 0
    )`;
  await sql`create index if not exists tickets_waiting on tickets.tickets (number) where served_at is null`;
}
