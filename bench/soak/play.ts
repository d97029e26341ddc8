// Plays the soak: an API and workers as programs on servers of their own, a steady load, a worker killed again and again, both servers taken down
// once each in the first half, and at the end a wait until all has ended.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { freePorts } from '../../dev/free-port.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { Member } from '../../test/faults/stage/member.ts';
import type { FaultServers } from '../../test/faults/stage/servers.ts';
import { folder } from '../../test/faults/stage/servers.ts';
import { eventually } from '../../test/support/eventually.ts';
import { createDatabase, createVhost } from '../stage/places.ts';
import { root } from '../stage/warren.ts';
import { app } from './app.ts';
import type { Judgement } from './ledger.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import type { Sample } from './sampler.ts';
import { Sampler } from './sampler.ts';

export interface SoakOptions {
  servers: FaultServers;
  jobs: number;
  perSecond: number;
  killEverySeconds: number;
  restarts: readonly Server[];
  /** The load ends then, however many jobs it has asked for. */
  minutes: number;
  log: (line: string) => void;
}

export type Server = 'rabbitmq' | 'postgres';

export interface Soak {
  judgement: Judgement;
  samples: Sample[];
  /** Of the load, in seconds since it began. */
  loadEndedAt: number;
  asked: number;
  unanswered: number;
  kills: number;
  restarts: { server: Server; seconds: number }[];
  miscounts: string[];
  fullCounts: number;
  unplannedExits: string[];
  badLines: string[];
  /** Live jobs at the end. */
  unfinished: number;
  /** Rows at the end that belong to jobs that are gone, by table. */
  orphans: Record<string, number>;
}

export const WORKERS = 3;
export const MAX_BACKLOG = 5_000;
/** When a server is taken down, by the share of the load. */
const RESTARTS_AT: Readonly<Record<Server, number>> = { rabbitmq: 0.15, postgres: 0.3 };
const DOWN_MS = 3_000;
const LOOK_MS = 250;
const START_TIMEOUT_MS = 120_000;
const DRAIN_TIMEOUT_MS = 300_000;
/** Several of them. */
const PASSES_OF_PRUNER_MS = 60_000;
/** 0.0005 days, 43 seconds: the whole way from the enqueue to the deletion is walked again and again. */
const RETENTION_DAYS = '0.0005';

export async function playSoak(options: SoakOptions): Promise<Soak> {
  const { servers, log } = options;
  const bookFolder = join(folder, 'soak');
  rmSync(bookFolder, { recursive: true, force: true });
  mkdirSync(bookFolder, { recursive: true });
  const databaseUrl = await createDatabase(servers.services.databaseUrl, 'soak');
  await migrate({ databaseUrl, app });
  const { url: amqpUrl } = await createVhost(servers.services, 'soak');
  const members = await createMembers({ databaseUrl, amqpUrl, bookFolder });
  const sql = postgres(databaseUrl, {
    max: 2,
    connect_timeout: 5,
    fetch_types: false,
    onnotice: () => {},
    onclose: () => {},
  });
  try {
    await Promise.all(members.map((member) => member.start()));
    await ready(members);
    log(`the API and ${WORKERS} workers run`);
    return await new Course({ options, members, sql, bookFolder }).play();
  } finally {
    await sql.end({ timeout: 2 });
    await Promise.all(
      members.filter(({ lives }) => lives.at(-1)?.exit === undefined).map((member) => member.end('SIGTERM')),
    );
  }
}

async function createMembers({
  databaseUrl,
  amqpUrl,
  bookFolder,
}: {
  databaseUrl: string;
  amqpUrl: string;
  bookFolder: string;
}): Promise<Member[]> {
  const ports = await freePorts(1 + WORKERS);
  const env = {
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    WARREN_APP: join(root, 'bench/soak/app.ts'),
    SOAK_FOLDER: bookFolder,
    FAULT_NODE_OPTIONS: '--max-semi-space-size=16',
    LOG_LEVEL: 'error',
    RETENTION_COMPLETED_DAYS: RETENTION_DAYS,
    RETENTION_CANCELLED_DAYS: RETENTION_DAYS,
    RETENTION_DISCARDED_DAYS: RETENTION_DAYS,
  };
  return ports.map(
    (port, index) =>
      new Member({ kind: index === 0 ? 'api' : 'worker', source: join(root, 'src'), port, env }),
  );
}

async function ready(members: readonly Member[]): Promise<void> {
  await eventually(
    async () => await Promise.all(members.map((member) => member.isReady())),
    (all) => all.every(Boolean),
    { timeoutMs: START_TIMEOUT_MS, everyMs: 100 },
  );
}

interface CourseParts {
  options: SoakOptions;
  /** The API first. */
  members: readonly Member[];
  sql: postgres.Sql;
  bookFolder: string;
}

class Course {
  readonly #parts: CourseParts;
  readonly #ledger = new Ledger();
  readonly #sampler: Sampler;
  readonly #load: Load;
  readonly #ending = new AbortController();
  readonly #restarts: Soak['restarts'] = [];
  #kills = 0;

  constructor(parts: CourseParts) {
    const { options, members, sql } = parts;
    const [api] = members;
    if (api === undefined) throw new Error('there is no API');
    this.#parts = parts;
    this.#sampler = new Sampler({
      sql,
      programs: () => Object.fromEntries(members.map((member, index) => [nameOf(index), member.pid])),
      servers: () => ({ Postgres: options.servers.postgres.pid, RabbitMQ: options.servers.rabbitmq.pid }),
      asked: () => this.#load.asked,
      log: options.log,
    });
    this.#load = new Load({
      ...options,
      url: api.url,
      backlog: () => this.#sampler.waiting,
      maxBacklog: MAX_BACKLOG,
      acknowledge: (ids) => this.#ledger.acknowledge(ids),
      signal: AbortSignal.any([this.#ending.signal, AbortSignal.timeout(options.minutes * 60_000)]),
    });
  }

  async play(): Promise<Soak> {
    const { sql, bookFolder, members, options } = this.#parts;
    const sampling = new AbortController();
    const sampled = this.#sampler.run(sampling.signal);
    try {
      const loading = this.#load.run();
      const over = new AbortController();
      const loaded = loading.finally(() => over.abort());
      await Promise.all([loaded, this.#kill(over.signal), this.#restart(over.signal)]);
    } finally {
      this.#ending.abort();
      if (this.#load.asked === 0) sampling.abort();
    }
    const loadEndedAt = this.#sampler.seconds;
    options.log('all are asked for; waits until they have ended');
    const unfinished = await this.#drain();
    sampling.abort();
    await sampled;
    await this.#sampler.countFully();
    for (const job of await sql<{ id: string; type: string; state: string }[]>`
      select id::text, type, state from warren.jobs where state in ('completed', 'discarded', 'cancelled')`)
      this.#ledger.end(job);
    const orphans = await this.#orphans();
    await Promise.all(members.map((member) => member.end('SIGTERM')));
    await this.#ledger.read(bookFolder);
    return {
      judgement: this.#ledger.judge(),
      samples: this.#sampler.samples,
      loadEndedAt,
      asked: this.#load.asked,
      unanswered: this.#load.unanswered,
      kills: this.#kills,
      restarts: this.#restarts,
      miscounts: this.#sampler.miscounts,
      fullCounts: this.#sampler.fullCounts,
      unplannedExits: members.flatMap((member) => member.unplannedExits()),
      badLines: members.flatMap((member) => member.badLines()),
      unfinished,
      orphans,
    };
  }

  /** What is left by a killed worker is found by the pruner's next pass, ten seconds later. */
  async #orphans(): Promise<Record<string, number>> {
    const until = performance.now() + PASSES_OF_PRUNER_MS;
    for (;;) {
      const orphans = await findOrphans(this.#parts.sql);
      if (Object.values(orphans).every((rows) => rows === 0) || performance.now() > until) return orphans;
      await delay(1_000);
    }
  }

  /** One worker after the other; the first lives through, so that its memory can be followed. */
  async #kill(over: AbortSignal): Promise<void> {
    const { members, options } = this.#parts;
    const mortal = members.slice(2);
    for (;;) {
      await delay(options.killEverySeconds * 1_000, undefined, { signal: over }).catch(() => {});
      if (over.aborted) return;
      const victim = mortal[this.#kills % mortal.length];
      if (victim === undefined) return;
      await victim.end('SIGKILL');
      await victim.start();
      this.#kills += 1;
    }
  }

  async #restart(over: AbortSignal): Promise<void> {
    const { servers, jobs, restarts, log } = this.#parts.options;
    for (const server of restarts) {
      while (this.#load.asked < RESTARTS_AT[server] * jobs && !over.aborted) await delay(LOOK_MS);
      if (over.aborted) return;
      log(`${server} goes down`);
      this.#restarts.push({ server, seconds: this.#sampler.seconds });
      // Postgres without a shutdown checkpoint: it recovers from a crash.
      await servers[server].stop(server === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
      await delay(DOWN_MS);
      await servers[server].start();
      await (server === 'postgres' ? servers.postgresReady() : servers.rabbitmqReady());
      log(`${server} is back`);
    }
  }

  /** Returns how many have not ended in time: ticks still come, so a few always live. */
  async #drain(): Promise<number> {
    const { sql } = this.#parts;
    await sql`update warren.schedules set paused = true`;
    const count = async () => {
      const [row] = await sql<{ live: number }[]>`
        select count(*)::float8 as live from warren.jobs where state not in ('completed', 'discarded', 'cancelled')`;
      return row?.live ?? 0;
    };
    try {
      return await eventually(count, (live) => live === 0, { timeoutMs: DRAIN_TIMEOUT_MS, everyMs: 500 });
    } catch {
      return await count();
    }
  }
}

function nameOf(member: number): string {
  if (member === 0) return 'API';
  return member === 1 ? 'worker that lives through' : `worker ${member}, killed again and again`;
}

/** What must go with its job, and has not. */
async function findOrphans(sql: postgres.Sql): Promise<Record<string, number>> {
  const [row] = await sql<Record<string, number>[]>`
    select
      (select count(*)::float8 from warren.job_logs log where not exists (select from warren.jobs where id = log.job_id)) as job_logs,
      (select count(*)::float8 from warren.job_progress progress where not exists (select from warren.jobs where id = progress.job_id)) as job_progress,
      (select count(*)::float8 from warren.passes pass where not exists (select from warren.jobs where id = pass.job_id)) as passes`;
  return row ?? {};
}
