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
    row: 45,
    scale: 0.2,
    mutation: {
      name: 'limit-without-those-that-run',
      file: 'shared/postgres/migrate/migrations/0033-gates.sql',
      changes: [
        {
          from: 'places := found_limit.concurrency - in_use;',
          to: 'places := found_limit.concurrency - pending;',
        },
      ],
    },
  },
  {
    row: 46,
    scale: 0.2,
    mutation: {
      name: 'order-not-kept-through-retries',
      file: 'shared/postgres/migrate/migrations/0033-gates.sql',
      changes: [
        {
          from: "job.state in ('scheduled', 'held', 'available', 'running', 'retryable')",
          to: "job.state in ('scheduled', 'held', 'available', 'running')",
        },
      ],
    },
  },
  {
    row: 47,
    scale: 0.2,
    mutation: {
      name: 'groups-not-counted',
      file: 'shared/postgres/migrate/migrations/0033-gates.sql',
      changes: [
        {
          from: '    - (select count(*) from warren.passes p where p.gate = group_room.gate);',
          to: '    - 0;',
        },
      ],
    },
  },
  {
    row: 48,
    scale: 0.2,
    mutation: {
      name: 'unique-keys-not-written',
      file: 'shared/postgres/statements/new-rows.ts',
      changes: [{ from: 'unique_key: job.uniqueKey,', to: 'unique_key: undefined,' }],
    },
  },
  {
    row: 49,
    scale: 0.2,
    mutation: {
      name: 'effects-outside-the-transaction',
      file: 'worker/own-transaction.ts',
      changes: [
        {
          from: 'transactions.recordWithin(transaction.sql, outcome, transaction.mark);',
          to: 'transaction.commit().then(() => transactions.recordWithin(transaction.sql, outcome, undefined));',
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
  {
    row: 35,
    scale: 0.2,
    mutation: {
      name: 'no-unique-tick',
      file: 'shared/postgres/statements/schedule-ticks.ts',
      changes: [
        {
          from: '      where schedule.revision = planned.revision and schedule.next_tick = planned."from"\n      order by schedule.name for update of schedule skip locked\n',
          to: '',
        },
        {
          from: 'on conflict (schedule, tick) do nothing',
          to: 'on conflict (schedule, tick) do update set outcome = excluded.outcome',
        },
      ],
    },
  },
];
