/**
 * `warren/testing`: what an application's own tests need of Warren, on a real Postgres, with no broker and no worker beside the test.
 *
 * Guarantees: each kit has a database of its own, so that test files may run at once; nothing runs before the test asks for it; all is gone when the
 * kit is disposed of.
 */

import { AssertionError } from 'node:assert';
import { inspect } from 'node:util';
import type { App } from '#shared/job/app.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { createThrowawayDatabase } from '#shared/postgres/throwaway-database.ts';
import type { Config } from '#shared/settings/config.ts';
import { readConfig } from '#shared/settings/config.ts';
import { Warren } from '#warren.ts';
import { drainDue } from '#worker/drain-due.ts';
import { createUnrecordedTransactions } from '#worker/own-transaction.ts';
import type { AttemptOptions, Performed } from '#worker/perform-once.ts';
import { performOnce } from '#worker/perform-once.ts';

const CONNECTION_NAME = 'warren-test';
const PAGE = 200;

export interface TestWarrenOptions {
  app: App;
  /** Leads to any database of the server; its role may create databases. */
  databaseUrl: string;
  /** Defaults to `none`: the kit runs jobs without a broker. */
  amqpUrl?: string;
  /** As of `Warren`, but for `DATABASE_DIRECT_URL`, which counts for nothing here. Defaults to none. */
  settings?: Readonly<Record<string, string>>;
}

/** What a job must have: of `args` and its members as much as is named, of the rest exactly what is named. */
export type ExpectedJob = { args?: unknown } & Partial<
  Pick<Job, 'queue' | 'state' | 'maxAttempts' | 'uniqueKey' | 'runAt'>
>;

export interface TestKit extends AsyncDisposable {
  /** Started, on the kit's own database. */
  readonly warren: Warren;
  /** For the application's own tables in the same database. */
  readonly databaseUrl: string;
  /** Runs one attempt of a job that is in no database. Throws `InvalidInput` where the arguments do not fit; never because the handler does. */
  perform<Args, Input>(
    job: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    options?: AttemptOptions,
  ): Promise<Performed>;
  /** All jobs of the type, whatever became of them, oldest first. */
  enqueued<Args, Input>(job: JobDefinition<Args, Input>): Promise<Job[]>;
  /** Resolves with the first job of the type that is as expected. Throws `AssertionError`, with what was there instead. */
  assertEnqueued<Args, Input>(job: JobDefinition<Args, Input>, expected?: ExpectedJob): Promise<Job>;
  /** Runs all that is due, one after the other, and what those jobs enqueue, and so on. Resolves with how many of them are in which state then. */
  drain(): Promise<Partial<Record<JobState, number>>>;
}

export async function testWarren({
  app,
  databaseUrl: serverUrl,
  amqpUrl = 'none',
  settings: given = {},
}: TestWarrenOptions): Promise<TestKit> {
  const settings = withoutOtherDatabases(given);
  const config = readConfig('worker', app, { ...settings, DATABASE_URL: serverUrl, AMQP_URL: amqpUrl });
  const database = await createThrowawayDatabase(serverUrl, app);
  const kit = new Kit({ app, config: { ...config, databaseUrl: database.url, amqpUrl }, settings, database });
  try {
    await kit.warren.start();
  } catch (error) {
    await kit[Symbol.asyncDispose]();
    throw error;
  }
  return kit;
}

/** A direct address leads to the application's own database: workers of the kit would show there, and a migration would change it. */
function withoutOtherDatabases(settings: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name !== 'DATABASE_DIRECT_URL'));
}

interface KitParts {
  app: App;
  config: Config;
  settings: Readonly<Record<string, string>>;
  database: AsyncDisposable;
}

class Kit implements TestKit {
  readonly warren: Warren;
  readonly databaseUrl: string;
  readonly #app: App;
  readonly #events = new Events();
  readonly #config: Config;
  readonly #database: AsyncDisposable;
  readonly #services: ApplicationServices;

  constructor({ app, config, settings, database }: KitParts) {
    const { databaseUrl, amqpUrl } = config;
    this.warren = new Warren({ app, databaseUrl, amqpUrl, settings });
    this.databaseUrl = databaseUrl;
    this.#app = app;
    this.#config = config;
    this.#database = database;
    const name = `${CONNECTION_NAME} jobs`;
    this.#services = new ApplicationServices(app, {
      url: databaseUrl,
      name,
      max: config.jobsPoolMax,
      events: this.#events,
    });
  }

  async perform<Args, Input>(
    job: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    options: AttemptOptions = {},
  ): Promise<Performed> {
    await parseArguments(job, args);
    await this.#services.open();
    const { services, sql, transactions: clients } = this.#services;
    const transactions = createUnrecordedTransactions(clients);
    const { perform: middleware } = this.#app.middleware;
    const { encryption } = this.#config;
    const resources = {
      middleware,
      encryption,
      services,
      sql,
      transactions,
      settings: this.#config,
      events: this.#events,
    };
    return await performOnce(job as JobDefinition, args, { resources, ...options });
  }

  async enqueued<Args, Input>({ type }: JobDefinition<Args, Input>): Promise<Job[]> {
    const found: Job[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.warren.jobs.list({ type, limit: PAGE, cursor });
      for (const { truncated, ...job } of page.jobs)
        found.push(truncated.length === 0 ? job : ((await this.warren.jobs.find(job.id)) ?? job));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return found.reverse();
  }

  async assertEnqueued<Args, Input>(
    definition: JobDefinition<Args, Input>,
    expected: ExpectedJob = {},
  ): Promise<Job> {
    const jobs = await this.enqueued(definition);
    const found = jobs.find((job) => contains(asJson(job), asJson(expected)));
    if (found !== undefined) return found;
    const there = jobs.map(({ id, queue, state, args }) => inspect({ id, queue, state, args }));
    throw new AssertionError({
      message: [
        `no job "${definition.type}" is ${inspect(expected)}; there ${jobs.length === 1 ? 'is' : 'are'} ${jobs.length}`,
        ...there,
      ].join('\n  '),
      expected,
      actual: jobs,
      operator: 'assertEnqueued',
    });
  }

  async drain(): Promise<Partial<Record<JobState, number>>> {
    await this.#services.open();
    const ran = await drainDue({
      events: this.#events,
      app: this.#app,
      config: this.#config,
      name: CONNECTION_NAME,
      services: this.#services,
    });
    const counts: Partial<Record<JobState, number>> = {};
    for (const id of new Set(ran)) {
      const job = await this.warren.jobs.find(id);
      if (job !== undefined) counts[job.state] = (counts[job.state] ?? 0) + 1;
    }
    return counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.warren.stop();
    await this.#services.close();
    await this.#database[Symbol.asyncDispose]();
  }
}

/** As Postgres has kept it: dates are texts, and what is undefined is not there. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** Objects may have more members than expected, lists may not have more elements. */
function contains(actual: unknown, expected: unknown): boolean {
  if (typeof expected !== 'object' || expected === null) return actual === expected;
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual) !== Array.isArray(expected))
    return false;
  if (Array.isArray(expected) && (actual as unknown[]).length !== expected.length) return false;
  return Object.entries(expected).every(
    ([key, value]) => Object.hasOwn(actual, key) && contains((actual as Record<string, unknown>)[key], value),
  );
}
