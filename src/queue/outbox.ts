/**
 * The outbox: publishes committed jobs, and marks those whose message the broker has confirmed.
 *
 * Guarantees: a job is marked only after its confirm; nothing here throws for a message, because the relay publishes again what has no mark. The one
 * place that joins a confirm of RabbitMQ with a mark in Postgres.
 */
import { pause } from '#shared/base/backoff.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { markPublished } from '#shared/postgres/statements/publish.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';

/** A mark made later than this finds most of its jobs claimed, and a claim has made it already. In milliseconds. */
const MARK_AFTER_MS = 200;

export interface OutboxOptions {
  database: Database;
  publisher: Publisher;
  events: Events;
}

/** Publishes jobs and marks the confirmed ones at once. Resolves with how many those are. Throws where Postgres refuses the marks. */
export async function publishAndMark(
  { database, publisher }: Pick<OutboxOptions, 'database' | 'publisher'>,
  jobs: readonly Publishable[],
): Promise<number> {
  if (jobs.length === 0 || !publisher.ready) return 0;
  const confirmed = await publisher.publishAll(jobs);
  if (confirmed.length > 0) await database.query((sql) => markPublished(sql, confirmed));
  return confirmed.length;
}

/** For the path of a job: marks are written late and together, because a job that is claimed first needs none. */
export class Outbox {
  readonly #database: Database;
  readonly #publisher: Publisher;
  readonly #events: Events;
  #confirmed: Publishable[] = [];
  readonly #marks = new Set<Promise<void>>();

  constructor({ database, publisher, events }: OutboxOptions) {
    this.#events = events;
    this.#database = database;
    this.#publisher = publisher;
  }

  /** Whether messages can go out now. */
  get ready(): boolean {
    return this.#publisher.ready;
  }

  /** Publishes jobs that are available and committed. Resolves with their confirms. Never throws: the relay repeats what fails. */
  async publish(jobs: readonly Publishable[]): Promise<void> {
    if (jobs.length === 0 || !this.#publisher.ready) return;
    const confirmed = await this.#publisher.publishAll(jobs);
    if (confirmed.length === 0) return;
    if (this.#confirmed.push(...confirmed) > confirmed.length) return;
    const mark = this.#markSoon();
    this.#marks.add(mark);
    void mark.then(() => this.#marks.delete(mark));
  }

  /** Waits until what was confirmed is marked. Stop the publisher first: it waits for the confirms. */
  async stop(): Promise<void> {
    await Promise.all(this.#marks);
  }

  async #markSoon(): Promise<void> {
    await pause(MARK_AFTER_MS);
    const jobs = this.#confirmed;
    this.#confirmed = [];
    try {
      await this.#database.query((sql) => markPublished(sql, jobs));
    } catch (error) {
      // The relay publishes them once more, and the second delivery finds nothing to claim.
      this.#events.publish('write.retried', { what: 'mark', retry: 1, error });
    }
  }
}
