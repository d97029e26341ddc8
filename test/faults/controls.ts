// Negative controls: a row played against the product with one guard switched off. It has to fail, or the row is blind.
import type { Mutation } from './stage/source.ts';

export interface Control {
  row: number;
  mutation: Mutation;
}

export const controls: readonly Control[] = [
  {
    row: 1,
    mutation: {
      name: 'ack-before-run',
      file: 'worker/consumer.ts',
      from: "      jobId === null ? { deadLetter: 'undecodable: the body is no job id' } : await this.#options.run(jobId);\n",
      to: "      jobId === null ? { deadLetter: 'undecodable: the body is no job id' } : (channel.ack(message), await this.#options.run(jobId), 'unacked');\n",
    },
  },
  {
    row: 17,
    mutation: {
      name: 'no-state-guard-at-claim',
      file: 'shared/postgres/jobs.ts',
      from: "::text::bigint[]) and state = 'available'\n      and queue <> all",
      to: '::text::bigint[])\n      and queue <> all',
    },
  },
  {
    row: 3,
    mutation: {
      name: 'marked-before-confirm',
      file: 'shared/postgres/jobs.ts',
      from: 'insert into warren.jobs (id, type, queue, args, max_attempts, run_at, unique_key, state, relay_at)\n      select id,',
      to: 'insert into warren.jobs (published_at, id, type, queue, args, max_attempts, run_at, unique_key, state, relay_at)\n      select now(), id,',
    },
  },
];
