// Where a row plays: a database, a vhost, two APIs and three workers of its own, and the books that are kept of what happens there.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePorts } from '../../../dev/free-port.ts';
import { eventually } from '../../support/eventually.ts';
import type { FaultyProxy } from '../../support/faulty-proxy.ts';
import { startFaultyProxy } from '../../support/faulty-proxy.ts';
import type { ManagementClient } from '../../support/management-client.ts';
import type { Acceptance, FinalJob } from '../books/checker.ts';
import { countDeliveries } from '../books/delivery-book.ts';
import { SubmitBook } from '../books/submit-book.ts';
import { Member } from './member.ts';
import type { FaultServers } from './servers.ts';
import { folder } from './servers.ts';

export interface FaultStageOptions {
  /** Names its database, vhost and books. */
  name: string;
  source: string;
  servers: FaultServers;
  /** Defaults to the product's. */
  workerQueues?: string | undefined;
  /** Added to the environment of every program. */
  env?: Readonly<Record<string, string>>;
  apiEnv?: Readonly<Record<string, string>>;
  workerEnv?: Readonly<Record<string, string>>;
  workers?: number;
  /** What goes through a proxy that can stall: both APIs, or the first worker, to RabbitMQ or to Postgres. */
  proxied?: readonly Proxied[];
  /** Opens the broker to play on. Defaults to the run's own single node. */
  openBroker?: (() => Promise<StageBroker>) | undefined;
}

/** What a stage needs of a broker. */
export interface StageBroker {
  /** `apiUrl`: where the APIs go, if not to `url`. */
  createVhost(name: string): Promise<{ url: string; apiUrl?: string; management: ManagementClient }>;
  /** Where it was opened for this stage alone. */
  close?(): Promise<void>;
}

export type Proxied = 'apiBroker' | 'apiDatabase' | 'workerBroker' | 'workerDatabase';

const START_TIMEOUT_MS = 60_000;
const DRAIN_TIMEOUT_MS = 180_000;

export class FaultStage {
  readonly options: FaultStageOptions;
  readonly databaseUrl: string;
  readonly amqpUrl: string;
  readonly broker: StageBroker;
  readonly management: ManagementClient;
  readonly apis: Member[];
  readonly workers: Member[];
  readonly bookFolder: string;
  readonly submits: SubmitBook;
  readonly #proxies: ReadonlyMap<Proxied, FaultyProxy>;

  private constructor(options: FaultStageOptions, parts: Parts, ports: number[]) {
    this.options = options;
    this.databaseUrl = parts.databaseUrl;
    this.amqpUrl = parts.amqpUrl;
    this.broker = parts.broker;
    this.management = parts.management;
    this.bookFolder = parts.bookFolder;
    this.submits = new SubmitBook(join(parts.bookFolder, 'submits.jsonl'));
    const { source, workers = 3, workerQueues } = options;
    const env = {
      DATABASE_URL: parts.databaseUrl,
      AMQP_URL: parts.amqpUrl,
      FAULT_BOOK: parts.bookFolder,
      ...options.env,
    };
    const queues: Record<string, string> = workerQueues === undefined ? {} : { WORKER_QUEUES: workerQueues };
    const member = (
      kind: 'api' | 'worker',
      port: number | undefined,
      more: Readonly<Record<string, string>> = {},
    ) => new Member({ kind, source, port: port ?? 0, env: { ...env, ...more } });
    this.#proxies = parts.proxies;
    const through = (...names: Proxied[]) => proxyEnv(parts.proxies, names);
    const apiBroker: Record<string, string> =
      parts.apiAmqpUrl === parts.amqpUrl ? {} : { AMQP_URL: parts.apiAmqpUrl };
    const apiEnv = { ...queues, ...apiBroker, ...options.apiEnv, ...through('apiBroker', 'apiDatabase') };
    this.apis = [0, 1].map((n) => member('api', ports[n], apiEnv));
    this.workers = Array.from({ length: workers }, (_, n) =>
      member('worker', ports[2 + n], {
        ...queues,
        ...options.workerEnv,
        ...(n === 0 ? through('workerBroker', 'workerDatabase') : {}),
      }),
    );
  }

  static async open(options: FaultStageOptions): Promise<FaultStage> {
    const { name, servers, workers = 3 } = options;
    const bookFolder = join(folder, 'books', name);
    rmSync(bookFolder, { recursive: true, force: true });
    mkdirSync(bookFolder, { recursive: true });
    const databaseUrl = await servers.createDatabase(name, options.source);
    await watchCompletions(databaseUrl);
    const broker: StageBroker = (await options.openBroker?.()) ?? servers;
    const { url: amqpUrl, apiUrl: apiAmqpUrl = amqpUrl, management } = await broker.createVhost(name);
    const proxies = await startProxies(options.proxied ?? [], { databaseUrl, amqpUrl });
    const parts = { databaseUrl, amqpUrl, apiAmqpUrl, broker, management, bookFolder, proxies };
    return new FaultStage(options, parts, await freePorts(2 + workers));
  }

  proxy(name: Proxied): FaultyProxy {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`${name} is not proxied here`);
    return proxy;
  }

  get members(): Member[] {
    return [...this.apis, ...this.workers];
  }

  async start(): Promise<void> {
    await Promise.all(this.members.map((member) => member.start()));
    await this.ready();
  }

  async ready(members: readonly Member[] = this.members): Promise<void> {
    await eventually(
      async () => await Promise.all(members.map((member) => member.isReady())),
      (ready) => ready.every(Boolean),
      { timeoutMs: START_TIMEOUT_MS, everyMs: 50 },
    );
  }

  /** Asks the row's database directly, past every proxy. */
  async sql<T>(statement: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = postgres(this.databaseUrl, { max: 1, connect_timeout: 5, onnotice: () => {} });
    try {
      return await statement(sql);
    } finally {
      await sql.end({ timeout: 2 });
    }
  }

  /** Waits until every job has ended. Returns how many have not. */
  async drain(timeoutMs = DRAIN_TIMEOUT_MS): Promise<number> {
    const count = () =>
      this.sql(async (sql) => {
        const [row] = await sql`select count(*)::int as left from warren.jobs
          where state in ('scheduled', 'held', 'available', 'running', 'retryable')`;
        return Number(row?.['left']);
      });
    try {
      return await eventually(count, (left) => left === 0, { timeoutMs, everyMs: 250 });
    } catch {
      return await count(); // not drained in time: the verdict says so
    }
  }

  /** Jobs that wait, and whose message the broker has confirmed. */
  async countPublished(): Promise<number> {
    return await this.sql(async (sql) => {
      const [row] = await sql`
        select count(*)::int as count from warren.jobs where state = 'available' and published_at is not null`;
      return Number(row?.['count']);
    });
  }

  async finalJobs(): Promise<FinalJob[]> {
    return await this.sql(
      async (sql) =>
        await sql<
          FinalJob[]
        >`select id, args->>'key' as key, state, attempt, fence from warren.jobs order by id`,
    );
  }

  async acceptances(): Promise<Acceptance[]> {
    return await this.sql(
      async (sql) => await sql<Acceptance[]>`select job_id as "jobId", fence from book.acceptances`,
    );
  }

  /** Jobs that the broker has delivered to the workers so far. */
  deliveries(): number {
    return countDeliveries(this.bookFolder);
  }

  /** When a process was killed, by pid, in monotonic milliseconds. */
  ends(): Map<number, number> {
    return new Map(
      this.members.flatMap(({ lives }) =>
        lives.flatMap(({ pid, endedAt }) => (endedAt === undefined ? [] : [[pid, endedAt] as const])),
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all(
      this.members.flatMap(({ lives }) => lives.map(({ program }) => program[Symbol.asyncDispose]())),
    );
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy[Symbol.asyncDispose]()));
    this.submits[Symbol.dispose]();
    await this.management.deleteVhost().catch(() => {}); // a row that broke the broker has its verdict already
    await this.broker.close?.();
  }
}

interface Parts {
  databaseUrl: string;
  amqpUrl: string;
  apiAmqpUrl: string;
  broker: StageBroker;
  management: ManagementClient;
  bookFolder: string;
  proxies: ReadonlyMap<Proxied, FaultyProxy>;
}

async function startProxies(
  names: readonly Proxied[],
  urls: { databaseUrl: string; amqpUrl: string },
): Promise<Map<Proxied, FaultyProxy>> {
  const proxies = new Map<Proxied, FaultyProxy>();
  for (const name of names)
    proxies.set(name, await startFaultyProxy(name.endsWith('Broker') ? urls.amqpUrl : urls.databaseUrl));
  return proxies;
}

function proxyEnv(
  proxies: ReadonlyMap<Proxied, FaultyProxy>,
  names: readonly Proxied[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const proxy = proxies.get(name);
      return proxy === undefined ? [] : [[name.endsWith('Broker') ? 'AMQP_URL' : 'DATABASE_URL', proxy.url]];
    }),
  );
}

/** The committed completions, counted by the database itself: a trigger runs in the transaction that completes the job. */
async function watchCompletions(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`
      create schema book;
      create table book.acceptances (job_id bigint not null, fence int not null, at timestamptz not null default clock_timestamp());
      create function book.accept() returns trigger language plpgsql as $$
        begin insert into book.acceptances (job_id, fence) values (new.id, new.fence); return null; end $$;
      create trigger accepted after update of state on warren.jobs for each row
        when (new.state = 'completed') execute function book.accept();`);
  } finally {
    await sql.end({ timeout: 2 });
  }
}
