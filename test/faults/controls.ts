// Negative controls: a row played against the product with one guard switched off. It has to fail, or the row is blind.
import type { Mutation } from './stage/source.ts';

export interface Control {
  row: number;
  mutation: Mutation;
  /** Of the row's load; less where the damage shows sooner. Defaults to 1. */
  scale?: number;
}

const markedBeforeConfirm: Mutation = {
  name: 'marked-before-confirm',
  file: 'shared/postgres/statements/insert.ts',
  changes: [
    { from: 'insert into warren.jobs (id,', to: 'insert into warren.jobs (published_at, id,' },
    {
      from: 'select id, type, queue, args, octet_length(',
      to: 'select now(), id, type, queue, args, octet_length(',
    },
  ],
};

export const controls: readonly Control[] = [
  {
    row: 1,
    mutation: {
      name: 'ack-before-run',
      file: 'worker/consumer.ts',
      changes: [
        {
          from: '    slots.delivered(delivered);\n',
          to: '    acknowledgements.ack(message);\n    slots.delivered(delivered);\n',
        },
        {
          from: 'if (this.#subscription.isCurrent(acknowledgements)) acknowledgements.ack',
          to: 'if (acknowledgements === undefined) acknowledgements.ack',
        },
      ],
    },
  },
  {
    row: 17,
    mutation: {
      name: 'no-state-guard-at-claim',
      file: 'shared/postgres/statements/claim.ts',
      changes: [
        {
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source's own text
          from: "::text::bigint[]) and ${mayById(sql, 'claim')}\n      and queue <> all",
          to: '::text::bigint[])\n      and queue <> all',
        },
      ],
    },
  },
  { row: 3, mutation: markedBeforeConfirm },
  { row: 22, scale: 0.2, mutation: { ...markedBeforeConfirm, name: 'marked-before-confirm-cluster' } },
  {
    row: 7,
    mutation: {
      name: 'no-fence',
      file: 'shared/postgres/statements/record.ts',
      changes: [
        {
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the source's own text
          from: "        and ${mayById(sql, 'complete')} and job.fence = given.fence and job.owner = any(${bigints(owners)}::text::bigint[])\n",
          to: '',
        },
      ],
    },
  },
  {
    row: 44,
    scale: 0.2,
    mutation: {
      name: 'claims-open-after-a-crash',
      file: 'shared/postgres/statements/parts.ts',
      changes: [
        {
          from: "(select set_config('synchronous_commit', 'off', true) from warren.claims_open) is not null",
          to: "(select set_config('synchronous_commit', 'off', true)) is not null",
        },
      ],
    },
  },
  {
    row: 44,
    scale: 0.2,
    mutation: {
      name: 'no-restored-claims',
      file: 'worker/held-jobs.ts',
      changes: [
        {
          from: '    return await restore(sql, [...this.#held.values()], owners);\n',
          to: '    return await restore(sql, [], owners);\n',
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
          from: 'return queues.filter((queue) => depths.get(queue)?.ready === 0);',
          to: 'return [...queues];',
        },
      ],
    },
  },
];
