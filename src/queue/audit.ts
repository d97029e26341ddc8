/**
 * The record of who did what, for every face through which people act.
 *
 * Guarantees: an act is noted before it is done, so that none is done without a trace: where it cannot be noted it is refused. How it went is noted
 * after it; where that fails the act stands, its entry says nothing of its outcome, and the event `audit.failed` tells.
 */
import { Conflict, InvalidInput, NotFound, QueueFull } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import { Events } from '#shared/observe/events.ts';
import { Database } from '#shared/postgres/database.ts';
import type { AuditEntry, AuditFilter, NewAuditEntry, Outcome } from '#shared/postgres/statements/audit.ts';
import { beginAudit, endAudit, listAudit } from '#shared/postgres/statements/audit.ts';

export type { AuditEntry, AuditFilter, NewAuditEntry } from '#shared/postgres/statements/audit.ts';

/** How an act went. `target`: where it is known only now. */
export interface ActEnd {
  outcome: Outcome;
  target?: string | undefined;
  detail?: object;
}

export interface AuditPage {
  /** Newest first. */
  entries: AuditEntry[];
  /** Null on the last page. */
  nextCursor: string | null;
}

export interface Audit {
  /** Notes that somebody is about to act. Resolves with what notes the end, which never rejects. Throws `Unavailable`: then nothing may be done. */
  begin(entry: NewAuditEntry): Promise<(end: ActEnd) => Promise<void>>;
  /** Notes the act, does it, and notes how it went. Throws what the act throws. */
  record<Result>(entry: NewAuditEntry, act: () => Promise<Result>): Promise<Result>;
  /** A page of at most `limit` entries, newest first. Throws `InvalidInput` for a cursor that is none. */
  list(request: AuditFilter & { cursor?: string | undefined; limit: number }): Promise<AuditPage>;
}

export function createAudit({ database, events }: { database: Database; events: Events }): Audit {
  const begin: Audit['begin'] = async (entry) => {
    const id = await database.query((sql) => beginAudit(sql, entry));
    return async ({ detail = {}, ...end }) => {
      try {
        await database.query((sql) => endAudit(sql, id, { ...end, detail }));
      } catch (error) {
        events.publish('audit.failed', { act: entry.act, error });
      }
    };
  };
  return {
    begin,
    record: async (entry, act) => {
      const end = await begin(entry);
      try {
        const result = await act();
        await end({ outcome: 'done' });
        return result;
      } catch (error) {
        await end({ outcome: isRefusal(error) ? 'refused' : 'failed' });
        throw error;
      }
    },
    list: async ({ limit, ...filter }) => {
      if (filter.cursor !== undefined && parseId(filter.cursor) === null) {
        const issues = [{ detail: 'is not the nextCursor of a page', pointer: '/cursor' }];
        throw new InvalidInput('invalid_request', 'the cursor is malformed', issues);
      }
      const found = await database.query((sql) => listAudit(sql, { ...filter, limit: limit + 1 }));
      const entries = found.slice(0, limit);
      return { entries, nextCursor: found.length > limit ? (entries.at(-1)?.id ?? null) : null };
    },
  };
}

/** Notes acts that are done straight on Postgres, on connections of its own that are closed with it. */
export function openAudit(databaseUrl: string): AsyncDisposable & Pick<Audit, 'record'> {
  const events = new Events();
  const database = new Database({ url: databaseUrl, name: 'warren-audit', min: 0, max: 1, events });
  const { record } = createAudit({ database, events });
  return { record, [Symbol.asyncDispose]: async () => await database.stop() };
}

function isRefusal(error: unknown): boolean {
  return [Conflict, InvalidInput, NotFound, QueueFull].some((kind) => error instanceof kind);
}
