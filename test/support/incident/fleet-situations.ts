// The situations of docs/incident.md that are about workers and servers, and what a person does before and after all of them.
import postgres from 'postgres';
import { expect } from 'vitest';
import { eventually } from '../eventually.ts';
import { asRole } from '../servers.ts';
import type { IncidentFleet } from './fleet.ts';
import type { Situation, Step } from './situation.ts';
import { substitute } from './situation.ts';

/** They look at the whole server, which all tests share, or at how busy this machine is. */
const OF_OTHERS =
  /^(error|warning) (connections-short|slot-idle|broker-alarm|server-unsafe|wraparound-near|loop-blocked|clock-skewed):/;

const isWell = (fleet: IncidentFleet): Step => ({
  run: 'warren doctor',
  by: async (lines) => {
    const { stdout } = await eventually(
      () => fleet.play(lines),
      ({ stdout: said }) =>
        said !== '' &&
        !said.split('\n').some((line) => /^(error|warning) /.test(line) && !OF_OTHERS.test(line)),
    );
    return stdout;
  },
});

/** By their headings, in the order of the page. */
export const firstSituations = (fleet: IncidentFleet): Record<string, Situation> => ({
  'Minute 0: look': {
    steps: [
      {
        run: `export WARREN_URL=https://jobs.example.com WARREN_TOKEN_FILE=~/.warren-token   # acts go to the API, and are noted with your name
export DATABASE_URL=postgres://admin@db.example.com/warren AMQP_URL=amqps://admin@mq.example.com   # the doctor looks at the servers themselves
export WARREN_APP=./app.js   # your application`,
        by: async (lines) => {
          fleet.exports = substitute(lines, fleet.ownNames);
          return '';
        },
      },
      isWell(fleet),
    ],
  },

  'Nobody works': {
    provoke: async () => {
      await fleet.killWorker();
      await fleet.enqueue(3, { type: 'send-mail' });
      await fleet.sql`update warren.workers set beat_at = beat_at - interval '1 min'`;
      return {};
    },
    steps: [
      {
        run: 'warren worker',
        by: async (line) => {
          await fleet.until('send-mail', ['available'], 3);
          const worker = await fleet.startByHand(line);
          await fleet.until('send-mail', ['completed'], 3);
          fleet.supervise();
          worker.signal('SIGTERM');
          expect(await worker.exited).toEqual({ code: 0, signal: null });
          return '';
        },
      },
    ],
  },

  'It is paused': {
    provoke: async () => {
      expect((await fleet.post('/v1/queues/mail/pause')).status).toBe(200);
      await fleet.enqueue(5, { type: 'send-mail', queue: 'mail' });
      return { QUEUE: 'mail' };
    },
    steps: [
      {
        run: 'warren audit list --act queues.pause --target QUEUE --limit 1\nwarren queues resume QUEUE',
        after: async (out) => {
          expect(out).toMatch(/\d\d:\d\d.* API_TOKEN +admin .* queues\.pause +mail +done/);
          await fleet.until('send-mail', ['completed'], 8);
        },
      },
    ],
  },
});

/** The same. */
export const lastSituations = (fleet: IncidentFleet): Record<string, Situation> => ({
  'RabbitMQ is away': {
    provoke: async () => {
      fleet.rabbitmq.cut();
      return {};
    },
    steps: [
      {
        run: 'warren workers list',
        by: async (lines) => {
          const isOnPostgres = (out: string) => / working +true +postgres /.test(out);
          return (
            await eventually(
              () => fleet.play(lines),
              ({ stdout }) => isOnPostgres(stdout),
            )
          ).stdout;
        },
        after: async () => {
          await fleet.enqueue(1, { type: 'send-mail' });
          await fleet.until('send-mail', ['completed'], 20);
        },
      },
      { before: () => fleet.rabbitmq.restore(), run: 'warren rebuild' },
    ],
  },

  'Postgres is away': {
    provoke: async () => {
      fleet.break('bank-slow');
      await fleet.enqueue(1, { type: 'pay-out' });
      await fleet.until('pay-out', ['running'], 1);
      fleet.postgres.cut();
      fleet.mend('bank-slow'); // it ends meanwhile
      return {};
    },
    steps: [
      {
        before: async () => {
          expect((await fleet.post('/v1/jobs', { type: 'send-mail', args: {} })).status).toBe(503);
          fleet.postgres.restore();
        },
        run: 'warren queues list',
        by: async (lines) =>
          (
            await eventually(
              () => fleet.play(lines),
              ({ status }) => status === 0,
            )
          ).stdout,
        after: async () => await fleet.until('pay-out', ['completed'], 8),
      },
    ],
  },

  'Postgres has no connection left': {
    provoke: async () => {
      await holdTransactions(fleet, 12);
      const [open] = await fleet.sql`
        select count(*)::int from pg_stat_activity where datname = current_database() and backend_type = 'client backend'`;
      await fleet.sql.unsafe(`alter database ${fleet.database.name} connection limit ${open?.['count']}`);
      return { NAME: 'nightly-export' };
    },
    steps: [
      {
        run: `select application_name, count(*), max(now() - state_change) as longest from pg_stat_activity
where datname = current_database() and state = 'idle in transaction' group by application_name;`,
        by: async (statement) => JSON.stringify(await fleet.sql.unsafe(statement)),
        after: (out) => expect(out).toContain('{"application_name":"nightly-export","count":"12",'),
      },
      {
        run: `select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and state = 'idle in transaction' and application_name = 'NAME';`,
        by: async (statement) => JSON.stringify(await fleet.sql.unsafe(statement)),
        after: async () => {
          await fleet.enqueue(1, { type: 'send-mail' });
          await fleet.until('send-mail', ['completed'], 21);
          await fleet.sql.unsafe(`alter database ${fleet.database.name} connection limit -1`);
        },
      },
    ],
  },

  'Minute 4: is it over?': {
    steps: [
      {
        ...isWell(fleet),
        run: 'warren doctor\nwarren queues list',
        after: (out) => expect(out).toMatch(/^default +false +0 +0 +0 +0 +0 +0 +– /m),
      },
    ],
  },

  'Minute 5: write it down': {
    provoke: async () => {
      const [job] =
        await fleet.sql`select id::text from warren.jobs where state = 'cancelled' order by id limit 1`;
      return { ID: job?.['id'], SINCE: fleet.startedAt };
    },
    steps: [
      {
        run: `warren audit list --after SINCE
warren jobs list --finished-after SINCE --state discarded --state cancelled`,
        after: (out) => {
          for (const act of ['limits.set', 'types.pause', 'queues.resume', 'jobs.retry', 'jobs.republish'])
            expect(out).toContain(act);
          expect(out).toMatch(/^ *\d+ +import-row +default +cancelled/m);
        },
      },
      { run: 'warren explain ID', after: (out) => expect(out).toContain('It was cancelled.') },
    ],
  },
});

/** Sessions of somebody else, each in a transaction in which it does nothing. */
async function holdTransactions(fleet: IncidentFleet, count: number): Promise<void> {
  for (let session = 0; session < count; session += 1) {
    const sql = postgres(asRole(fleet.database.url, 'api'), {
      max: 1,
      connection: { application_name: 'nightly-export' },
      onclose: () => {},
    });
    const { promise: isOpen, resolve: open } = Promise.withResolvers<void>();
    sql
      .begin(async (transaction) => {
        await transaction`select 1`;
        open();
        await new Promise(() => {});
      })
      .catch(() => {}); // it is ended by the page
    await isOpen;
  }
}
