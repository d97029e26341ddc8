// The situations of docs/incident.md that are about jobs: how each is provoked, and what each of its steps has to do.
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import type { IncidentFleet } from './fleet.ts';
import type { Situation } from './situation.ts';

const FLOOD = 300;

/** By their headings, in the order of the page. */
export const jobSituations = (fleet: IncidentFleet): Record<string, Situation> => ({
  'A limit is full': {
    provoke: async () => {
      fleet.break('bank-slow');
      await fleet.enqueue(7, { type: 'pay-out' });
      await fleet.until('pay-out', ['running'], 1);
      await fleet.age();
      return { LIMIT: 'stripe' };
    },
    steps: [
      {
        run: 'warren limits set LIMIT --concurrency 5',
        after: () => fleet.until('pay-out', ['running', 'available'], 5),
      },
      {
        before: async () => {
          fleet.mend('bank-slow');
          await fleet.until('pay-out', ['completed'], 7);
        },
        run: 'warren limits delete LIMIT',
        after: async () =>
          expect((await fleet.play('warren limits show stripe')).stdout).toMatch(/concurrency +1$/m),
      },
    ],
  },

  'Nobody knows the type': {
    provoke: async () => {
      await fleet.sql`
        insert into warren.jobs (type, queue, args, state, max_attempts)
        select 'import-contacts', 'default', '{}', 'available', 5 from generate_series(1, 4)`;
      await fleet.age();
      return { TYPE: 'import-contacts' };
    },
    steps: [
      {
        run: `warren jobs list --type TYPE --state available --limit 3
warren jobs bulk cancel --type TYPE --state available --dry-run`,
        after: (out) => expect(out).toMatch(/^ *\d+ +import-contacts +default +available(.|\n)*^count +4$/m),
      },
      {
        run: 'warren jobs bulk cancel --type TYPE --state available',
        after: () => fleet.until('import-contacts', ['cancelled'], 4),
      },
    ],
  },

  'A type fails': {
    provoke: async () => {
      fleet.break('bank-away');
      await fleet.enqueue(6, { type: 'charge-card', maxAttempts: 1 });
      await fleet.enqueue(6, { type: 'charge-card' });
      await fleet.until('charge-card', ['discarded'], 6);
      await fleet.until('charge-card', ['retryable'], 6);
      return { TYPE: 'charge-card' };
    },
    steps: [
      {
        run: `warren types pause TYPE
warren jobs list --type TYPE --state discarded --state retryable --limit 3`,
        after: (out) => expect(out).toMatch(/LAST ERROR(.|\n)*charge-card .* the bank answers 503/),
      },
      {
        before: () => fleet.mend('bank-away'),
        run: `warren types resume TYPE
warren jobs bulk retry --type TYPE --state discarded --finished-after SINCE --dry-run`,
        after: (out) => expect(out).toMatch(/^count +6$/m),
      },
      {
        run: 'warren jobs bulk retry --type TYPE --state discarded --finished-after SINCE',
        after: async () => {
          await fleet.until('charge-card', ['completed'], 6);
          await fleet.sql`update warren.jobs set run_at = now() where type = 'charge-card' and state = 'retryable'`; // an hour has gone by
          await fleet.until('charge-card', ['completed'], 12);
        },
      },
    ],
  },

  'A job kills workers': {
    provoke: async () => {
      fleet.break('picture-breaks');
      const [id = ''] = await fleet.enqueue(1, { type: 'resize-picture' });
      await fleet.until('resize-picture', ['discarded'], 1);
      return { ID: id };
    },
    steps: [
      { run: 'warren jobs show ID', after: (out) => expect(out).toContain('worker_crashed') },
      {
        before: () => fleet.mend('picture-breaks'),
        run: 'warren jobs retry ID',
        after: () => fleet.until('resize-picture', ['completed'], 1),
      },
    ],
  },

  'Slow or stuck': {
    provoke: async () => {
      fleet.break('account-stuck');
      await fleet.enqueue(4, { type: 'sync-account' });
      await fleet.until('sync-account', ['running'], 4);
      await fleet.enqueue(10, { type: 'send-mail' });
      await fleet.age();
      return { QUEUE: 'default', TYPE: 'sync-account' };
    },
    steps: [
      {
        run: `warren queues set QUEUE --prefetch 10
warren jobs list --queue QUEUE --state running --limit 5`,
        after: async (out) => {
          expect(out).toMatch(/^ *\d+ +sync-account +default +running/m);
          await fleet.until('send-mail', ['completed'], 18);
        },
      },
      {
        run: 'warren jobs bulk cancel --type TYPE --state running --dry-run',
        after: (out) => expect(out).toMatch(/^count +4$/m),
      },
      {
        run: `warren jobs bulk cancel --type TYPE --state running
warren queues set QUEUE --prefetch null`,
        after: async () => {
          await fleet.until('sync-account', ['cancelled'], 4);
          fleet.mend('account-stuck');
        },
      },
    ],
  },

  'A flood': {
    provoke: async () => {
      await fleet.enqueue(FLOOD, { type: 'import-row', group: 'acme' });
      await fleet.age();
      return { QUEUE: 'default', TYPE: 'import-row', GROUP: 'acme' };
    },
    steps: [
      {
        before: () => fleet.enqueue(1, { type: 'send-mail' }),
        run: 'warren types pause TYPE\nwarren queues set QUEUE --max-depth 50',
        after: async () => {
          await fleet.until('send-mail', ['completed'], 19);
          const refused = await eventually(
            async () => await fleet.post('/v1/jobs', { type: 'import-row', args: {}, group: 'acme' }),
            ({ status }) => status !== 202,
          );
          expect(refused.status).toBe(429);
        },
      },
      {
        run: 'warren jobs bulk cancel --type TYPE --group GROUP --state available --state held --dry-run',
        after: (out) => expect(Number(/^count +(\d+)$/m.exec(out)?.[1])).toBeGreaterThan(FLOOD / 10),
      },
      {
        run: 'warren jobs bulk cancel --type TYPE --group GROUP --state available --state held',
        after: () => fleet.until('import-row', ['available', 'held', 'running'], 0),
      },
      {
        run: 'warren queues set QUEUE --max-depth null\nwarren types resume TYPE',
        after: async (out) => {
          expect(out).toMatch(/^maxDepth +–$/m);
          const [cancelled] =
            await fleet.sql`select count(*)::int from warren.jobs where type = 'import-row' and state = 'cancelled'`;
          expect(cancelled?.['count']).toBeGreaterThan(FLOOD / 10);
        },
      },
    ],
  },
});
