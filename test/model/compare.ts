// The rows of `warren.jobs` against the jobs of the model: those that changed after every step, all of them now and then.
// Guarantees: what has changed is found by the rows themselves (`xmin`), so that a statement that changes a row too many is found out.
import type postgres from 'postgres';
import { findMiscounts } from '../support/miscounts.ts';
import { Difference, expectSame } from './difference.ts';
import type { Model, ModelJob } from './model.ts';
import { hasEnded } from './model.ts';

interface Row extends ModelJob {
  /** The first transaction that this look has not seen. */
  seenUpTo: string;
}

export class Comparison {
  readonly #sql: postgres.Sql;
  readonly #model: Model;
  #seenUpTo = '0';

  constructor(sql: postgres.Sql, model: Model) {
    this.#sql = sql;
    this.#model = model;
  }

  /** Compares the rows that have changed since the last look, and those that should have. */
  async changes(): Promise<void> {
    const touched = [...this.#model.touched];
    this.#model.touched.clear();
    await this.#compare(`where age(xmin) <= age($1::text::xid) or id = any($2::text::bigint[])`, touched);
  }

  /** Compares every row, and the counts that the database keeps. */
  async everything(): Promise<void> {
    this.#model.touched.clear();
    await this.#compare(`where $1::text is not null or id = any($2::text::bigint[])`, [
      ...this.#model.jobs.keys(),
    ]);
    expectSame('counts that differ from a full count', await findMiscounts(this.#sql), []);
  }

  async #compare(condition: string, expected: readonly string[]): Promise<void> {
    const rows = await this.#sql.unsafe<Row[]>(
      `${SELECT} ${condition}`,
      [this.#seenUpTo, `{${expected.join(',')}}`],
      {
        prepare: true,
      },
    );
    const found = new Set<string>();
    for (const { seenUpTo, ...row } of rows) {
      this.#seenUpTo = seenUpTo;
      found.add(row.id);
      const job = this.#model.jobs.get(row.id);
      if (job === undefined)
        throw new Difference(`job ${row.id}: is in Postgres (${row.state}), not in the model`);
      const [real, model] = [facts(row), facts(job)];
      for (const name of Object.keys(model) as (keyof typeof model)[])
        expectSame(`job ${row.id} (${row.state}): ${name}`, real[name], model[name]);
    }
    for (const id of expected)
      if (this.#model.jobs.has(id) && !found.has(id))
        throw new Difference(`job ${id}: is in the model, not in Postgres`);
  }
}

const ms = (column: string) => `extract(epoch from ${column})::float8 * 1000`;

const SELECT = `
  select id::text, type, queue, state, attempt, max_attempts as "maxAttempts", fence, owner::text, claim_batch as "claimNumber",
    ${ms('run_at')} as "runAt", ${ms('started_at')} as "startedAt", ${ms('finished_at')} as "finishedAt",
    ${ms('published_at')} as "publishedAt", ${ms('relay_at')} as "relayAt", cancel_requested_at is not null as "isCancelRequested",
    crashes, jsonb_array_length(errors) as errors, unique_key as "uniqueKey",
    (pg_snapshot_xmax(pg_current_snapshot())::text::numeric % 4294967296)::text as "seenUpTo"
  from warren.jobs`;

/** What is known of a job in the state that it has; what its row still has of an earlier one means nothing. */
function facts(job: ModelJob): object {
  const { id, type, queue, state, attempt, maxAttempts, fence, crashes, errors, uniqueKey } = job;
  const common = { id, type, queue, state, attempt, maxAttempts, fence, crashes, errors, uniqueKey };
  if (hasEnded(job)) return { ...common, finishedAt: rounded(job.finishedAt) };
  const waiting = { ...common, isCancelRequested: job.isCancelRequested, runAt: rounded(job.runAt) };
  if (state === 'running') {
    const { owner, claimNumber, startedAt } = job;
    return {
      ...waiting,
      owner,
      claimNumber,
      startedAt: rounded(startedAt),
      publishedAt: rounded(job.publishedAt),
    };
  }
  if (state !== 'available') return waiting;
  const { publishedAt } = job;
  return {
    ...waiting,
    publishedAt: rounded(publishedAt),
    ...(publishedAt === null ? { relayAt: rounded(job.relayAt) } : {}),
  };
}

/** To microseconds, which is what Postgres keeps. */
function rounded(time: number | null): number | null {
  return time === null ? null : Math.round(time * 1_000) / 1_000;
}
