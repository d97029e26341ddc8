/**
 * The log that the logging-services share, in Postgres. A message that is logged twice stands there once.
 */
import type { HandlerClient } from 'warren/app';
import type { Message } from './message.ts';
import { MAX_SHOWN } from './message.ts';

/** `service`: the one that logs it. */
export async function logMessage(sql: HandlerClient, { id, msg }: Message, service: string): Promise<void> {
  await sql`
    insert into facade.log (id, msg, service) values (${id}, ${msg}, ${service})
    on conflict (id) do nothing`;
}

/** The newest, in their order. Index: log_number. */
export async function readLog(sql: HandlerClient): Promise<Message[]> {
  const messages = await sql<
    Message[]
  >`select id, msg from facade.log order by number desc limit ${MAX_SHOWN}`;
  return messages.reverse();
}

/** Running it again changes nothing. */
export async function createLogTable(sql: HandlerClient): Promise<void> {
  await sql`create schema if not exists facade`;
  await sql`
    create table if not exists facade.log (
      id uuid primary key,
      number bigint generated always as identity constraint log_number unique,
      msg text not null,
      service text not null,
      logged_at timestamptz not null default now()
    )`;
}
