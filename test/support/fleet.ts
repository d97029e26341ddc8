// A fleet in this process, on a database and a vhost of its own: an enqueuer and workers with the test's own job types.
// Guarantees: everything is stopped and dropped when it is disposed of; a connection to Postgres that outlives it fails the test.

import postgres from 'postgres';
import type { ZodType } from 'zod';
import { z } from 'zod';
import type { JobOptions } from '../../src/jobs/define.ts';
import { defineJob } from '../../src/jobs/define.ts';
import { Enqueuer } from '../../src/queue/enqueue.ts';
import type { App } from '../../src/shared/job/app.ts';
import type { EnqueueOptions, Job, JobDefinition } from '../../src/shared/job/job.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { findJobs } from '../../src/shared/postgres/statements/read.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { eventually, HANG_MS } from './eventually.ts';
import type { Pgbouncer } from './pgbouncer.ts';
import type { TestDatabase, TestVhost } from './servers.ts';
import { asRole, asUser, createDatabase, createVhost, setRolesForPooler } from './servers.ts';
import { queueNames } from './shop.ts';
import type { TestGates } from './test-app.ts';
import { testApp } from './test-app.ts';

type Args = Record<string, unknown>;

/** A job type for a test: any arguments, fast retries. */
export function testJob(
  perform: JobOptions<ZodType<Args, Args>>['perform'],
  options: Partial<JobOptions<ZodType<Args, Args>>> = {},
): JobDefinition<Args> {
  return defineJob({
    type: 'test-job',
    args: z.record(z.string(), z.unknown()),
    maxAttempts: 5,
    backoffMs: () => 20,
    ...options,
    perform,
  });
}

const ended = ['completed', 'cancelled', 'discarded'];

interface FleetParts {
  testDatabase: TestDatabase;
  vhost: TestVhost;
  /** Stands before Postgres, for all but what needs a session. */
  pooler?: Pgbouncer;
  definitions: readonly JobDefinition<Args>[];
  gates?: TestGates;
}

export class Fleet {
  /** What happens in the enqueuer and in the workers. */
  readonly events = new Events();
  /** An administrator's, for what a test asks and breaks. */
  readonly database: Database;
  readonly #apiDatabase: Database;
  readonly publisher: Publisher;
  readonly enqueuer: Enqueuer;
  readonly testDatabase: TestDatabase;
  readonly vhost: TestVhost;
  readonly #pooler: Pgbouncer | undefined;
  readonly app: App;
  readonly #workers = new Set<Worker>();

  constructor({ testDatabase, vhost, pooler, definitions, gates }: FleetParts) {
    this.testDatabase = testDatabase;
    this.vhost = vhost;
    this.#pooler = pooler;
    this.app = testApp(definitions as readonly JobDefinition[], gates);
    this.database = new Database({
      url: testDatabase.url,
      name: 'administrator',
      min: 1,
      max: 5,
      events: this.events,
    });
    const { DATABASE_URL: url } = this.environment('api');
    this.#apiDatabase = new Database({
      url,
      isPooled: pooler !== undefined,
      name: 'fleet',
      min: 1,
      max: 5,
      events: this.events,
    });
    this.publisher = new Publisher({
      url: asUser(vhost.url, 'api'),
      name: 'fleet',
      channels: 4,
      queues: queueNames,
      events: this.events,
    });
    this.enqueuer = new Enqueuer({
      database: this.#apiDatabase,
      publisher: this.publisher,
      app: this.app,
      events: this.events,
    });
  }

  /** The URLs of a program: its own role, its own user, and the pooler where there is one. */
  environment(program: 'api' | 'worker'): {
    DATABASE_URL: string;
    DATABASE_DIRECT_URL?: string;
    AMQP_URL: string;
  } {
    const direct = asRole(this.testDatabase.url, program);
    const AMQP_URL = asUser(this.vhost.url, program);
    if (this.#pooler === undefined) return { DATABASE_URL: direct, AMQP_URL };
    return { DATABASE_URL: this.#pooler.through(direct), DATABASE_DIRECT_URL: direct, AMQP_URL };
  }

  start(): void {
    this.database.start();
    this.#apiDatabase.start();
    this.publisher.start();
  }

  /** Starts a worker in this process and waits until it consumes. */
  async startWorker(environment: Record<string, string> = {}): Promise<Worker> {
    const own = this.environment('worker');
    const config = readConfig('worker', this.app, {
      WORKER_QUEUES: 'default:2:10,critical:1:10',
      ...own,
      ...environment,
      DATABASE_URL: asRole(environment['DATABASE_URL'] ?? own.DATABASE_URL, 'worker'),
      AMQP_URL: asUser(environment['AMQP_URL'] ?? own.AMQP_URL, 'worker'),
    });
    const worker = new Worker({
      config,
      name: `warren-worker@test:${this.#workers.size + 1}`,
      app: this.app,
      events: this.events,
    });
    this.#workers.add(worker);
    await worker.start(new AbortController().signal);
    await eventually(
      async () => await worker.checks(),
      (checks) => Object.values(checks).every(({ ok }) => ok),
    );
    return worker;
  }

  async stopWorker(worker: Worker): Promise<void> {
    this.#workers.delete(worker);
    await worker.stop();
  }

  /** Enqueues a job of the fleet's first type and returns its id. */
  async enqueue(args: Args = {}, options: EnqueueOptions & { type?: string } = {}): Promise<string> {
    const type = options.type ?? [...this.app.definitions.keys()][0];
    const definition = this.app.definitions.get(type ?? '');
    if (definition === undefined) throw new Error(`the fleet has no job type ${type}`);
    const { job } = await this.enqueuer.enqueue({ definition, args, ...options });
    return job.id;
  }

  async job(id: string): Promise<Job> {
    const [job] = await this.database.query((sql) => findJobs(sql, [id]));
    if (job === undefined) throw new Error(`there is no job ${id}`);
    return job;
  }

  /** Waits until the job is in one of these states; without any, until it has ended. */
  async until(id: string, ...states: string[]): Promise<Job> {
    const wanted = states.length === 0 ? ended : states;
    return await eventually(
      () => this.job(id),
      ({ state }) => wanted.includes(state),
    );
  }

  /** Runs a statement as somebody from outside. */
  async sql<T>(statement: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = postgres(this.testDatabase.url, { max: 1, onnotice: () => {} });
    try {
      return await statement(sql);
    } finally {
      await sql.end();
    }
  }

  /** Stops everything but the workers. */
  async stop(): Promise<void> {
    await this.publisher.stop();
    await this.enqueuer.stop();
    await this.#apiDatabase.stop();
    await this.database.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    await this.stop();
    try {
      await this.#assertNoSessions();
    } finally {
      await this.testDatabase[Symbol.asyncDispose]();
      await this.vhost[Symbol.asyncDispose]();
    }
  }

  async #assertNoSessions(): Promise<void> {
    await this.sql((sql) =>
      eventually(
        async () => {
          const rows = await sql`
            select application_name from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
          return rows.map((row) => row['application_name']);
        },
        (names) => names.length === 0,
      ),
    );
  }
}

/** A fleet without workers; `startWorker` adds them. */
export function startFleet(...definitions: readonly JobDefinition<Args>[]): Promise<Fleet> {
  return start({ definitions });
}

/** The same with limits, or with what its queue `default` has of ordering keys and groups. */
export function startFleetWith(
  gates: TestGates,
  ...definitions: readonly JobDefinition<Args>[]
): Promise<Fleet> {
  return start({ definitions, gates });
}

/** The same through a pooler, each role set as docs/postgres.md has it. */
export function startFleetThrough(
  pooler: Pgbouncer,
  ...definitions: readonly JobDefinition<Args>[]
): Promise<Fleet> {
  return start({ definitions, pooler });
}

async function start(parts: Pick<FleetParts, 'definitions' | 'pooler' | 'gates'>): Promise<Fleet> {
  const [testDatabase, vhost] = await Promise.all([createDatabase(), createVhost()]);
  if (parts.pooler !== undefined) await setRolesForPooler(testDatabase);
  const fleet = new Fleet({ testDatabase, vhost, ...parts });
  fleet.start();
  await fleet.publisher.connection.opened(HANG_MS);
  return fleet;
}
