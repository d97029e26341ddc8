/**
 * What processes tell one another through `notify`: the one place that writes notices and reads them.
 *
 * Guarantees: whatever payload comes, `parseNotice` returns a notice or nothing. A notice is a hint and no more, because everybody who may connect to
 * the database may send one: who hears it reads the rows before anything is done, and works at a bounded rate however many come. Must not know what
 * is done about them.
 */
import { parseId } from '../base/row-id.ts';
import type { Sql } from './database.ts';
import type { Fragment } from './statements/parts.ts';

export const NOTICE_CHANNEL = 'warren';

export type Notice =
  /** A running job is to be cancelled. */
  | { kind: 'cancel'; jobId: string }
  /** A job is due within a second. */
  | { kind: 'due' }
  /** A queue was paused, resumed or set otherwise. */
  | { kind: 'queues' }
  /** The leader of the maintenance has left. */
  | { kind: 'leader' }
  /** A worker is asked to end: which one, its row says. */
  | { kind: 'drain' };

/** The call that sends the notice when its transaction commits, for a select list. */
export function notify(sql: Sql, notice: Exclude<Notice, { kind: 'cancel' }>): Fragment {
  return sql`pg_notify(${NOTICE_CHANNEL}, ${notice.kind})`;
}

/** The same for the job of the row that a statement returns: it is to be cancelled. */
export function notifyCancel(sql: Sql): Fragment {
  return sql`pg_notify(${NOTICE_CHANNEL}, 'cancel:' || job.id)`;
}

/** Undefined for what is no notice of ours. */
export function parseNotice(payload: string): Notice | undefined {
  if (payload === 'due' || payload === 'queues' || payload === 'leader' || payload === 'drain')
    return { kind: payload };
  const jobId = payload.startsWith('cancel:') ? parseId(payload.slice('cancel:'.length)) : null;
  return jobId === null ? undefined : { kind: 'cancel', jobId };
}
