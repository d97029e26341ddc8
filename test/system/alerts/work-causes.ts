// What goes wrong with jobs, messages and single workers while both servers are there. The causes do not disturb each other: all are there at once.
import { once } from 'node:events';
import { eventually } from '../../support/eventually.ts';
import type { Cause } from './cause.ts';
import { raise, repeat } from './cause.ts';
import { muteWorker } from './mute-worker.ts';
import type { AlertStage } from './stage.ts';

/** A type that no program knows. Its job waits from before the first worker comes: the leader looks for such types then, and every half a minute. */
const GONE = 'gone';

export async function insertGoneJob(stage: AlertStage): Promise<void> {
  await stage.sql(
    (sql) => sql`
      insert into warren.jobs (type, queue, args, max_attempts, state) values (${GONE}, 'default', '{}', 1, 'available')`,
  );
}

export const workCauses: readonly Cause[] = [
  {
    what: 'a queue is paused and a job waits in it',
    raises: raise({ WarrenJobsWait: { queue: 'paused' }, WarrenQueueUnserved: { queue: 'paused' } }),
    provoke: async (stage) => {
      await stage.ask('POST', '/v1/queues/paused/pause');
      await stage.enqueueQuick({ queue: 'paused' });
      return () => stage.ask('POST', '/v1/queues/paused/resume');
    },
  },
  {
    what: 'a job waits whose type nobody has known for ten minutes',
    raises: raise({
      WarrenJobsOfUnknownType: { queue: 'default', type: GONE },
      WarrenJobsWait: { queue: 'default' },
    }),
    provoke: async (stage) => {
      const backdate = () =>
        stage.sql(
          (sql) => sql`
            update warren.unserved_types set since = since - interval '10 minutes' where type = ${GONE} returning type`,
        );
      await eventually(backdate, (noted) => noted.length > 0);
      return async () => {
        const [job] = await stage.sql((sql) => sql`select id from warren.jobs where type = ${GONE}`);
        await stage.ask('POST', `/v1/jobs/${job?.['id']}/cancel`);
      };
    },
  },
  {
    what: 'every job of a type fails, at its last attempt',
    raises: raise({ WarrenJobsDiscarded: { type: 'fail' }, WarrenAttemptsFail: { type: 'fail' } }),
    provoke: async (stage) => {
      const isOver = new AbortController();
      const enqueueing = repeat(() => stage.enqueue('fail', {}), 500, isOver.signal);
      return async () => {
        isOver.abort();
        await enqueueing;
      };
    },
  },
  {
    what: 'a handler goes on after its time-out',
    raises: (stage) => ({ WarrenAttemptsAbandoned: { pod: stage.pod('main') } }),
    provoke: async (stage) => {
      const end = stage.newFile();
      await stage.enqueue('ignore', { until: end.path });
      return end.write;
    },
  },
  {
    what: 'the arguments of a running job leave no room for those of the next',
    raises: (stage) => ({ WarrenArgumentsWait: { pod: stage.pod('small') } }),
    provoke: async (stage) => {
      const end = stage.newFile();
      const args = { until: end.path, padding: 'x'.repeat(40_000) };
      await stage.enqueue('hold', args, { queue: 'large' });
      await stage.enqueue('hold', args, { queue: 'large' });
      return end.write;
    },
  },
  {
    what: 'a handler computes without letting go',
    raises: (stage) => ({ WarrenEventLoopBlocked: { pod: stage.pod('spinner') } }),
    provoke: async (stage) => {
      const end = stage.newFile();
      await stage.enqueue('spin', { until: end.path }, { queue: 'spin' });
      return end.write;
    },
  },
  {
    what: 'somebody publishes what is no message of ours',
    raises: raise({ WarrenDeadLetters: { queue: 'default' } }),
    provoke: async (stage) => {
      await stage.vhost.management.request('POST', `/exchanges/${stage.vhost.name}/warren/publish`, {
        properties: {},
        routing_key: 'default',
        payload: 'no ids',
        payload_encoding: 'string',
      });
      return () => stage.ask('DELETE', '/v1/dead-letters');
    },
  },
  {
    what: 'the binding of a queue is deleted',
    raises: raise({ WarrenPublishesReturned: { queue: 'returned' } }),
    provoke: async (stage) => {
      const { management, name } = stage.vhost;
      const between = `/bindings/${name}/e/warren/q/warren.returned`;
      await management.request('DELETE', `${between}/returned`);
      const id = await stage.enqueueQuick({ queue: 'returned' });
      return async () => {
        await management.request('POST', between, { routing_key: 'returned' });
        await stage.untilState(id, 'completed');
      };
    },
  },
  {
    what: 'a worker may not consume a queue',
    raises: (stage) => ({ WarrenConsumersMissing: { pod: stage.pod('denied') } }),
    provoke: async (stage) => {
      await stage.permitDenied('^(?!warren\\.denied$).*');
      await stage.start('denied', { isReady: false });
      return () => stage.permitDenied('.*');
    },
  },
  {
    what: 'the log of a worker cannot be written',
    raises: (stage) => ({ WarrenLogLinesDropped: { pod: stage.pod('mute') } }),
    provoke: async (stage) => {
      const worker = await muteWorker(stage.environment('mute'));
      return async () => {
        worker.kill('SIGKILL');
        await once(worker, 'exit');
      };
    },
  },
  {
    what: 'a column is renamed that a chore of the leader and a route of the API read',
    raises: raise({ WarrenMaintenanceFails: { task: 'ticker' }, WarrenApiFails: { route: '/v1/schedules' } }),
    provoke: async (stage) => {
      await stage.sql((sql) => sql`alter table warren.schedules rename column next_tick to other_tick`);
      const isOver = new AbortController();
      // A job that is due soon wakes the ticker, which would try again every few seconds only: too few for the shortened windows.
      const asking = repeat(
        async () => {
          await stage.request('GET', '/v1/schedules');
          await stage.enqueueQuick({ delayMs: 500 });
        },
        500,
        isOver.signal,
      );
      return async () => {
        isOver.abort();
        await asking;
        await stage.sql((sql) => sql`alter table warren.schedules rename column other_tick to next_tick`);
      };
    },
  },
  {
    what: 'a worker loses its advisory lock while it works, and ends its job all the same',
    raises: (stage) => ({
      WarrenPresenceLost: { pod: stage.pod('cutOff') },
      WarrenCompletionsFenced: {},
      WarrenJobsTakenOver: {},
    }),
    provoke: async (stage) => {
      const end = stage.newFile();
      const id = await stage.enqueue('hold', { until: end.path }, { queue: 'lonely' });
      await stage.untilState(id, 'running');
      stage.presence.cut();
      await stage.untilState(id, 'available');
      end.write();
      return () => stage.presence.restore();
    },
  },
  {
    what: 'a worker is killed again and again',
    raises: (stage) => ({ WarrenCrashLoop: { pod: stage.pod('crasher') } }),
    provoke: async (stage) => {
      const isOver = new AbortController();
      const killing = repeat(
        async () => {
          await stage.scraped('crasher');
          await stage.kill('crasher');
          await stage.start('crasher', { isReady: false });
        },
        0,
        isOver.signal,
      );
      return async () => {
        isOver.abort();
        await killing;
        await stage.scraped('crasher'); // its last start counts, too
      };
    },
  },
];
