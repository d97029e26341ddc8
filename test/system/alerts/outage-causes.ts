// What goes wrong with the servers, and with all programs of a kind.
import postgres from 'postgres';
import type { Cause } from './cause.ts';
import { raise, repeat } from './cause.ts';

/** The class of the advisory locks by which workers are known to live, which nobody else uses. */
const WORKER_LOCKS = 2002874994;
/** No worker has it. */
const NOBODY = 1;

/** RabbitMQ is away, no worker leads, and a table of Postgres is locked, all at once. */
export const serverCauses: readonly Cause[] = [
  {
    what: 'RabbitMQ is away, and a job waits in a paused queue',
    raises: (stage) => ({
      WarrenBrokerAway: {},
      WarrenFallbackLane: { pod: stage.pod('main') },
      WarrenJobsUnpublished: {},
      WarrenJobsWait: { queue: 'paused' },
    }),
    provoke: async (stage) => {
      await stage.ask('POST', '/v1/queues/paused/pause');
      stage.broker.cut();
      await stage.enqueueQuick({ queue: 'paused' });
      return async () => {
        stage.broker.restore();
        await stage.ask('POST', '/v1/queues/paused/resume');
      };
    },
  },
  {
    what: 'the leadership is held by one that does nothing',
    raises: raise({ WarrenNoLeader: {} }),
    provoke: async (stage) => {
      const holder = postgres(stage.database.url, { max: 1, onnotice: () => {} });
      await holder`select pg_advisory_lock(${WORKER_LOCKS}::int, ${NOBODY}::int)`;
      await holder`update warren.leadership set owner = ${NOBODY}, until = now() + interval '1 hour'`;
      return async () => {
        await holder`update warren.leadership set until = '-infinity'`;
        await holder.end();
      };
    },
  },
  {
    what: 'a table is locked that requests of the API read',
    raises: (stage) => ({
      WarrenPostgresPoolExhausted: { pod: stage.pod('api') },
      WarrenStatementsWait: { pod: stage.pod('api') },
      WarrenApiUnavailable: { code: 'postgres_busy' },
    }),
    provoke: async (stage) => {
      const holder = postgres(stage.database.url, { max: 1, onnotice: () => {} });
      await holder.unsafe('begin');
      await holder.unsafe('lock table warren.schedules in access exclusive mode');
      const isOver = new AbortController();
      const requests: Promise<unknown>[] = [];
      const asking = repeat(
        async () => {
          // More at once than the pool has connections: those that get none give up when the others do.
          for (let count = 0; count < 10; count += 1) requests.push(stage.request('GET', '/v1/schedules'));
        },
        1_000,
        isOver.signal,
      );
      return async () => {
        isOver.abort();
        await holder.unsafe('rollback');
        await holder.end();
        await asking;
        await Promise.all(requests);
      };
    },
  },
];

/** Nothing runs any more. */
export const deathCauses: readonly Cause[] = [
  {
    what: 'every program is dead',
    raises: raise({ WarrenNoWorker: {}, WarrenNoApi: {} }),
    provoke: async (stage) => {
      await stage.kill(...stage.running);
      return () => Promise.all([stage.start('api'), stage.start('main')]);
    },
  },
];

/** Alerts whose causes are not made here, and why. promtool plays their series (test/manifests/alerts.test.ts). */
export const notProvoked: Readonly<Record<string, string>> = {
  WarrenAtMaximum: 'its metrics are of kube-state-metrics: they exist in Kubernetes only',
};
