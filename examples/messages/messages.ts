/**
 * The messages in Postgres, in a schema of their own. What comes in one turn of the event loop is stored by one statement.
 */
import type { HandlerClient, Sql } from 'warren/app';
import { Batcher } from 'warren/app';
import type { Message, PublishedMessage } from './message.ts';

export type NewMessage = PublishedMessage & { id: string };

export interface Messages {
  store(message: NewMessage): Promise<void>;
}

export interface Page {
  /** Defaults to those of everybody. */
  sender?: string | undefined;
  /** Only messages before this one. Defaults to the newest. */
  before?: string | undefined;
  limit: number;
}

export function createMessages(sql: HandlerClient): Messages {
  const stores = new Batcher<NewMessage, void>({
    run: async (messages) => {
      await storeMessages(sql, messages);
      return messages.map(() => undefined);
    },
    concurrency: 2,
  });
  return { store: (message) => stores.add(message) };
}

async function storeMessages(sql: HandlerClient, messages: readonly NewMessage[]): Promise<void> {
  await sql`
    insert into messages.messages (id, ts, sender, attributes, sent_from_ip, priority)
    select id, ts, sender, "messageAttributes", sent_from_ip, priority
    from jsonb_to_recordset(${JSON.stringify(messages)}::text::jsonb) as message(
      id bigint, ts timestamptz, sender text, "messageAttributes" jsonb, sent_from_ip inet, priority smallint)
    on conflict (id) do nothing`;
}

/** The newest first. Indexes: the primary key, messages_sender. */
export async function listMessages(sql: Sql, { sender, before, limit }: Page): Promise<Message[]> {
  return await sql<Message[]>`
    select ${columns(sql)} from messages.messages message
    where ${before === undefined ? sql`true` : sql`id < ${before}::text::bigint`}
      and ${sender === undefined ? sql`true` : sql`sender = ${sender}`}
    order by message.id desc limit ${limit}`;
}

export async function findMessage(sql: Sql, id: string): Promise<Message | undefined> {
  const [message] = await sql<Message[]>`
    select ${columns(sql)} from messages.messages where id = ${id}::text::bigint`;
  return message;
}

function columns(sql: Sql) {
  return sql`id::text as id, to_json(ts at time zone 'UTC')#>>'{}' || 'Z' as ts, sender, attributes as "messageAttributes",
    host(sent_from_ip) as "sent_from_ip", priority, to_json(stored_at at time zone 'UTC')#>>'{}' || 'Z' as "storedAt"`;
}

/** Running it again changes nothing. */
export async function createMessagesTable(sql: HandlerClient): Promise<void> {
  await sql`create schema if not exists messages`;
  await sql`
    create table if not exists messages.messages (
      id bigint primary key,
      ts timestamptz not null,
      sender text not null,
      attributes jsonb not null,
      sent_from_ip inet not null,
      priority smallint not null,
      stored_at timestamptz not null default now()
    )`;
  await sql`create index if not exists messages_sender on messages.messages (sender, id)`;
}
