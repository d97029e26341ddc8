/**
 * Where a watcher stands in the stream of events, as a text that it may bring back later, to whichever process. Pure.
 *
 * A position is a snapshot of Postgres, everything that is visible in it having been seen; or, in the middle of what has become visible between two
 * snapshots, both of them and the last id. Texts that come from outside are checked.
 */
import { InvalidInput } from '#shared/base/errors.ts';

export interface Position {
  /** When `from` was taken: microseconds since 1970, by the database's clock. */
  at: string;
  from: string;
  /** Of what lies between `from` and this snapshot, `after` was the last. */
  to?: string | undefined;
  after?: string | undefined;
}

/** Hundreds of transactions may be under way. */
const MAX_CHARACTERS = 8_000;
const SNAPSHOT = String.raw`\d{1,19}:\d{1,19}:(?:\d{1,19}(?:,\d{1,19})*)?`;
const POSITION = new RegExp(`^(\\d{1,18})_(${SNAPSHOT})(?:_(${SNAPSHOT})_(\\d{1,18}))?$`);

export function writePosition({ at, from, to, after }: Position): string {
  return to === undefined ? `${at}_${from}` : `${at}_${from}_${to}_${after ?? '0'}`;
}

/** Throws `InvalidInput` where the text is none. */
export function readPosition(text: string): Position {
  const [, at, from, to, after] = (text.length <= MAX_CHARACTERS ? POSITION.exec(text) : null) ?? [];
  if (at !== undefined && from !== undefined && isSnapshot(from) && (to === undefined || isSnapshot(to)))
    return { at, from, to, after };
  const issues = [{ detail: 'is no id of an event of this stream', pointer: '/Last-Event-ID' }];
  throw new InvalidInput('invalid_request', 'the position is malformed', issues);
}

/** Whether Postgres takes it for one: told here, before a stream has begun that would break, and be taken up again, without end. */
function isSnapshot(text: string): boolean {
  const [oldest = '', next = '', underWay = ''] = text.split(':');
  const order = [oldest, ...(underWay === '' ? [] : underWay.split(','))].map(BigInt);
  const isAscending = order.every((id, index) => index === 0 || id >= (order[index - 1] ?? 0n));
  return (
    BigInt(oldest) > 0n &&
    BigInt(oldest) <= BigInt(next) &&
    isAscending &&
    order.slice(1).every((id) => id < BigInt(next))
  );
}

/** What a statement compares with: the next transaction of the snapshot, and those that were under way. */
export function openSnapshot(snapshot: string): { snapshot: string; next: string; underWay: string[] } {
  const [, next = '0', underWay = ''] = snapshot.split(':');
  return { snapshot, next, underWay: underWay === '' ? [] : underWay.split(',') };
}

/** Whether the snapshot is of a time to come: of another database, or of one that a crash has set back. */
export function isAhead(snapshot: string, of: string): boolean {
  return BigInt(openSnapshot(snapshot).next) > BigInt(openSnapshot(of).next);
}
