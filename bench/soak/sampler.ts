// What the soak looks at every few seconds: sizes of the database, rows, and the memory of every process.
// Guarantees: a look that fails, because a server is away, is left out; none is made before the last has ended.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type postgres from 'postgres';
import { findMiscounts } from '../../test/support/miscounts.ts';

export interface Sample {
  /** Since the load began. */
  seconds: number;
  /** Of tables (their TOAST included) and of indexes, by name. */
  bytes: Record<string, number>;
  /** Live jobs, by the counts that the database keeps. */
  waiting: number;
  /** Jobs that have ended and are still there. */
  ended: number;
  /** How long ago the oldest of them ended, in seconds. */
  oldestSeconds: number;
  /** Dead rows of `warren.jobs`, as Postgres has them in its statistics. */
  deadRows: number;
  /** By process. */
  memory: Record<string, number>;
  /** Of enqueued jobs, so far. */
  asked: number;
}

export interface SamplerOptions {
  sql: postgres.Sql;
  /** Pids by name; of a server, the root of its tree. */
  programs: () => Readonly<Record<string, number>>;
  servers: () => Readonly<Record<string, number>>;
  asked: () => number;
  log: (line: string) => void;
}

const EVERY_MS = 2_000;
const COUNT_FULLY_EVERY = 15;
const LOG_EVERY = 5;

export class Sampler {
  readonly samples: Sample[] = [];
  /** Counts that differed from a full count, in all looks. */
  readonly miscounts: string[] = [];
  fullCounts = 0;
  failedLooks = 0;
  readonly #options: SamplerOptions;
  readonly #beganAt = performance.now();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.samples.at(-1)?.waiting ?? 0;
  }

  get seconds(): number {
    return (performance.now() - this.#beganAt) / 1_000;
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for (let look = 0; !signal.aborted; look += 1) {
      try {
        await this.look();
        if (look % COUNT_FULLY_EVERY === 0) await this.countFully();
        if (look % LOG_EVERY === 0) this.#tell();
      } catch {
        this.failedLooks += 1; // a server is away
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => {}); // aborted: that ends it
    }
  }

  async look(): Promise<void> {
    const { sql, programs, servers, asked } = this.#options;
    const sizes = await sql<{ name: string; bytes: number }[]>`
      select relname as name, (case relkind when 'r' then pg_table_size(oid) else pg_relation_size(oid) end)::float8 as bytes
      from pg_class where relnamespace = 'warren'::regnamespace and relkind in ('r', 'i')`;
    const [rows] = await sql<Pick<Sample, 'waiting' | 'ended' | 'oldestSeconds' | 'deadRows'>[]>`
      select
        coalesce(sum(jobs) filter (where state not in ('completed', 'discarded', 'cancelled')), 0)::float8 as waiting,
        coalesce(sum(jobs) filter (where state in ('completed', 'discarded', 'cancelled')), 0)::float8 as ended,
        (select coalesce(extract(epoch from now() - min(finished_at)), 0)::float8 from warren.jobs) as "oldestSeconds",
        (select n_dead_tup::float8 from pg_stat_user_tables where relid = 'warren.jobs'::regclass) as "deadRows"
      from warren.job_counts`;
    if (rows === undefined) return;
    const ofPrograms = Object.entries(programs()).map(([name, pid]) => [name, residentBytes(pid)] as const);
    const ofServers = Object.entries(servers()).map(([name, pid]) => [name, ownBytesOfTree(pid)] as const);
    this.samples.push({
      seconds: this.seconds,
      bytes: Object.fromEntries(sizes.map(({ name, bytes }) => [name, bytes])),
      ...rows,
      memory: Object.fromEntries([...ofPrograms, ...ofServers].filter(([, bytes]) => bytes > 0)),
      asked: asked(),
    });
  }

  async countFully(): Promise<void> {
    this.miscounts.push(...(await findMiscounts(this.#options.sql)));
    this.fullCounts += 1;
  }

  #tell(): void {
    const sample = this.samples.at(-1);
    if (sample === undefined) return;
    const mib = (bytes = 0) => (bytes / 1_048_576).toFixed(1);
    const { seconds, asked, waiting, ended, oldestSeconds, deadRows, bytes } = sample;
    this.#options.log(
      `${Math.round(seconds)} s: ${asked} asked for, ${waiting} live, ${ended} ended (the oldest ${Math.round(oldestSeconds)} s ago), ` +
        `${deadRows} dead; jobs ${mib(bytes['jobs'])} MiB, its key ${mib(bytes['jobs_pkey'])} MiB`,
    );
  }
}

/** 0 where the process is gone. */
function residentBytes(pid: number): number {
  return kibibytesOf(pid, 'VmRSS') * 1_024;
}

/** What a process and its descendants have for themselves: what they share, as Postgres' buffers, would count for each. */
function ownBytesOfTree(root: number): number {
  const parents = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (/^\d+$/.test(entry)) parents.set(Number(entry), kibibytesOf(Number(entry), 'PPid'));
  }
  const isBelow = (pid: number): boolean =>
    pid === root || (parents.has(pid) && isBelow(parents.get(pid) ?? 0));
  return [...parents.keys()]
    .filter(isBelow)
    .reduce((sum, pid) => sum + kibibytesOf(pid, 'RssAnon') * 1_024, 0);
}

function kibibytesOf(pid: number, field: 'VmRSS' | 'RssAnon' | 'PPid'): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  } catch {
    return 0; // it has ended meanwhile
  }
}
