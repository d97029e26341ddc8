/**
 * Dead letters for people: messages that no worker could use. They are looked at, sent again when their cause is mended, or deleted.
 *
 * Guarantees: no job depends on them. One that is sent again is a hint as any other: a worker runs what can run, and puts it back where it still cannot.
 * One look or act at a time in this process: a message that one has taken for a moment is not there for another.
 */
import pLimit from 'p-limit';
import { NotFound } from '#shared/base/errors.ts';
import type { JobState } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findProgress } from '#shared/postgres/statements/read.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { BrokerLetter, LetterAct, LetterSelection } from '#shared/rabbitmq/dead-letters.ts';
import { actOnDeadLetters, readDeadLetters } from '#shared/rabbitmq/dead-letters.ts';

const LIST_LIMIT = 100;

export interface DeadLetter extends Omit<BrokerLetter, 'jobIds'> {
  /** The jobs that it is about, as they are now; the state is null where there is no such job. */
  jobs: { id: string; state: JobState | null }[];
}

export interface DeadLetterPage {
  /** All that are there, those that are not listed among them. */
  total: number;
  /** The oldest. */
  deadLetters: DeadLetter[];
}

/** All throw `Unavailable` where nobody can tell now, and `NotFound` where there is none with the id that was given. Without RabbitMQ there are none. */
export interface DeadLetters {
  /** `limit` defaults to 100, which is the most. */
  list(options?: { limit?: number | undefined }): Promise<DeadLetterPage>;
  /** Sends them to the queues that they came from. What no queue takes stays. `left`: of those that were there when it began; it takes ten seconds at most. */
  resend(selection?: LetterSelection): Promise<{ sent: number; left: number }>;
  delete(selection?: LetterSelection): Promise<{ deleted: number; left: number }>;
}

export interface DeadLettersOptions {
  database: Database;
  connection: BrokerConnection;
  events: Events;
}

export function createDeadLetters({ database, connection, events }: DeadLettersOptions): DeadLetters {
  const inTurn = pLimit(1);

  const act = async (
    name: LetterAct,
    selection: LetterSelection,
  ): Promise<{ done: number; left: number }> => {
    const { done, total } = connection.isConfigured
      ? await inTurn(() => actOnDeadLetters(connection, { act: name, events, ...selection }))
      : { done: 0, total: 0 };
    if (selection.id !== undefined && done === 0)
      throw new NotFound('there is no such dead letter, or no queue takes it');
    return { done, left: total - done };
  };

  return {
    list: async ({ limit = LIST_LIMIT } = {}) => {
      if (!connection.isConfigured) return { total: 0, deadLetters: [] };
      const most = Math.min(limit, LIST_LIMIT);
      const { total, letters } = await inTurn(() => readDeadLetters(connection, most));
      const ids = [...new Set(letters.flatMap(({ jobIds }) => jobIds))];
      const found = ids.length === 0 ? [] : await database.query((sql) => findProgress(sql, ids));
      const states = new Map(found.map(({ id, state }) => [id, state]));
      const jobs = (of: readonly string[]) => of.map((id) => ({ id, state: states.get(id) ?? null }));
      return {
        total,
        deadLetters: letters.map(({ jobIds, ...letter }) => ({ ...letter, jobs: jobs(jobIds) })),
      };
    },
    resend: async (selection = {}) => {
      const { done, left } = await act('send', selection);
      return { sent: done, left };
    },
    delete: async (selection = {}) => {
      const { done, left } = await act('delete', selection);
      return { deleted: done, left };
    },
  };
}
