/**
 * The outbox: publishes committed jobs, and marks those whose message the broker has confirmed.
 *
 * Guarantees: a job is marked only after its confirm; nothing here throws for a message, because the relay publishes again what has no mark. The one
 * place that joins a confirm of RabbitMQ with a mark in Postgres.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { markPublished, renewMarks } from '#shared/postgres/statements/publish.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';

/** A mark made later than this finds most of its jobs claimed, and a claim has made it already. In milliseconds. */
const MARK_AFTER_MS = 200;

/** A statement of some milliseconds, whatever was confirmed together: one of all would hold its rows and its connection for long. */
const MARKS_PER_STATEMENT = 1_000;
/** Jobs that wait for their mark, some 200 bytes each. What comes beyond is marked when it is claimed, or published once more by the relay. */
const MAX_UNMARKED = 200_000;

export interface OutboxOptions {
  database: Pick<Database, 'query'>;
  publisher: Pick<Publisher, 'ready' | 'publishAll'>;
  /** How many jobs of a queue, published together, may share a message. */
  mostTogether: (queue: string) => number;
  events: Events;
}

/**
 * Publishes jobs, each with a message of its own, and marks the confirmed ones at once. Resolves with how many those are. Throws where Postgres
 * refuses the marks.
 */
export async function publishAndMark(
  { database, publisher }: Pick<OutboxOptions, 'database' | 'publisher'>,
  jobs: readonly Publishable[],
): Promise<number> {
  if (jobs.length === 0 || !publisher.ready) return 0;
  const confirmed = await publisher.publishAll(jobs);
  await mark(database, confirmed);
  return confirmed.length;
}

/** What became of jobs that were to be published again, by their ids. */
export interface PublishedAgain {
  /** Those that can be claimed. The others run, are held or have ended. */
  available: ReadonlySet<string>;
  /** Those of them whose new message the broker has. */
  published: ReadonlySet<string>;
}

/**
 * Publishes jobs again whose message is at hand, each with a message of its own, as far as they are available. Returns undefined where the broker
 * takes nothing now, and throws where Postgres is away; then nothing was published.
 */
export async function publishAgain(
  { database, publisher }: Pick<OutboxOptions, 'database' | 'publisher'>,
  ids: readonly string[],
): Promise<PublishedAgain | undefined> {
  if (!publisher.ready) return undefined;
  const available = await database.query((sql) => renewMarks(sql, ids));
  const published = await publisher.publishAll(available);
  return { available: idsOf(available), published: idsOf(published) };
}

function idsOf(jobs: readonly Publishable[]): ReadonlySet<string> {
  return new Set(jobs.map(({ id }) => id));
}

/** For the path of a job: marks are written late and together, because a job that is claimed first needs none. */
export class Outbox {
  readonly #database: OutboxOptions['database'];
  readonly #publisher: OutboxOptions['publisher'];
  readonly #mostTogether: OutboxOptions['mostTogether'];
  readonly #events: Events;
  /** What is confirmed and not marked, as it was published together; how many jobs that are. */
  #confirmed: (readonly Publishable[])[] = [];
  #unmarked = 0;
  #marking: Promise<void> | undefined;
  /** Ends the wait for more to mark: an urgent job overtakes nothing before it is marked (statements/others-first.ts). */
  #hurry = new AbortController();

  constructor({ database, publisher, mostTogether, events }: OutboxOptions) {
    this.#events = events;
    this.#database = database;
    this.#publisher = publisher;
    this.#mostTogether = mostTogether;
  }

  /** Whether messages can go out now. */
  get ready(): boolean {
    return this.#publisher.ready;
  }

  /** Publishes jobs that are available and committed. Resolves with their confirms. Never throws: the relay repeats what fails. */
  async publish(jobs: readonly Publishable[]): Promise<void> {
    if (jobs.length === 0 || !this.#publisher.ready) return;
    const confirmed = await this.#publisher.publishAll(jobs, this.#mostTogether);
    if (confirmed.length === 0) return;
    if (this.#unmarked + confirmed.length > MAX_UNMARKED) return;
    this.#confirmed.push(confirmed);
    this.#unmarked += confirmed.length;
    if (confirmed.some(({ isUrgent }) => isUrgent)) this.#hurry.abort();
    this.#marking ??= this.#markLate();
  }

  /** Waits until what was confirmed is marked. Stop the publisher first: it waits for the confirms. */
  async stop(): Promise<void> {
    await this.#marking;
  }

  async #markLate(): Promise<void> {
    while (this.#confirmed.length > 0) {
      await sleep(MARK_AFTER_MS, this.#hurry.signal);
      this.#hurry = new AbortController();
      const jobs = this.#confirmed.flat();
      this.#confirmed = [];
      try {
        await mark(this.#database, jobs);
      } catch (error) {
        // The relay publishes them once more, and the second delivery finds nothing to claim.
        this.#events.publish('write.retried', { what: 'mark', retry: 1, error });
      }
      this.#unmarked -= jobs.length;
    }
    this.#marking = undefined;
  }
}

/** One statement after the other: marks have time, and shall not take the connections of those who have none. */
async function mark(database: OutboxOptions['database'], jobs: readonly Publishable[]): Promise<void> {
  for (let start = 0; start < jobs.length; start += MARKS_PER_STATEMENT) {
    const some = jobs.slice(start, start + MARKS_PER_STATEMENT);
    await database.query((sql) => markPublished(sql, some));
  }
}
