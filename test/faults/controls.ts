// Negative controls: a row played against the product with one guard switched off. It has to fail, or the row is blind.
import type { Mutation } from './stage/source.ts';

export interface Control {
  row: number;
  mutation: Mutation;
  /** Of the row's load; less where the damage shows sooner. Defaults to 1. */
  scale?: number;
}

export const controls: readonly Control[] = [
  {
    row: 1,
    mutation: {
      name: 'ack-before-run',
      file: 'worker/consumer.ts',
      changes: [
        {
          from: '    const id = decodeJobId(message);\n',
          to: '    channel.ack(message);\n    const id = decodeJobId(message);\n',
        },
        {
          from: "    if (this.#channel !== channel || disposition === 'unacked') return;\n",
          to: "    if (this.#channel !== undefined || disposition === 'unacked') return;\n",
        },
      ],
    },
  },
  {
    row: 17,
    mutation: {
      name: 'no-state-guard-at-claim',
      file: 'shared/postgres/jobs.ts',
      changes: [
        {
          from: "::text::bigint[]) and state = 'available'\n      and queue <> all",
          to: '::text::bigint[])\n      and queue <> all',
        },
      ],
    },
  },
  {
    row: 3,
    mutation: {
      name: 'marked-before-confirm',
      file: 'shared/postgres/jobs.ts',
      changes: [
        {
          from: 'insert into warren.jobs (id, type, queue, args, max_attempts, run_at, unique_key, state, relay_at)\n      select id,',
          to: 'insert into warren.jobs (published_at, id, type, queue, args, max_attempts, run_at, unique_key, state, relay_at)\n      select now(), id,',
        },
      ],
    },
  },
  {
    row: 7,
    mutation: {
      name: 'no-fence',
      file: 'shared/postgres/jobs.ts',
      changes: [
        {
          from: "where job.id = given.id and job.state = 'running' and job.fence = given.fence",
          to: 'where job.id = given.id',
        },
      ],
    },
  },
  {
    row: 34,
    scale: 0.1,
    mutation: {
      name: 'sweeper-by-age',
      file: 'worker/maintenance/chores.ts',
      changes: [
        {
          from: 'return queueNames.filter((queue) => depths.get(queue)?.ready === 0);',
          to: 'return [...queueNames];',
        },
      ],
    },
  },
];
