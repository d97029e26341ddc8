// The boards of the servers: what the fleet asks of them, and how they fare, by postgres_exporter and by RabbitMQ's plugin rabbitmq_prometheus.
import type { Board } from './grafana.ts';
import { lines, number } from './grafana.ts';
import { HERE, namespace, RATE, rateBy } from './panels.ts';

export const postgres: Board = {
  uid: 'warren-postgres',
  title: 'Warren: Postgres',
  about: 'What the fleet asks of Postgres, and how it fares. The lower half is of postgres_exporter.',
  variables: [namespace],
  rows: [
    {
      title: 'The fleet',
      panels: [
        lines('Connections that run a statement', 'short', 'At most DATABASE_POOL_MAX of each process.', [
          `sum by (pod) (warren_postgres_connections_busy{${HERE}})`,
          '{{pod}}',
        ]),
        lines(
          'Statements that wait for a connection',
          'short',
          'Always above 0: the pool is too small, or Postgres is slow.',
          [`sum by (pod) (warren_postgres_statements_waiting{${HERE}})`, '{{pod}}'],
        ),
        lines(
          'Trouble',
          'short',
          'Statements refused for want of a connection, writes tried again, locks and connections lost.',
          [`sum(increase(warren_postgres_pool_exhausted_total{${HERE}}${RATE}))`, 'pool exhausted'],
          [`sum(increase(warren_writes_retried_total{${HERE}}${RATE}))`, 'write tried again'],
          [`sum(increase(warren_presence_lost_total{${HERE}}${RATE}))`, 'lock lost'],
          [`sum(increase(warren_reconnects_total{${HERE},peer="postgres"}${RATE}))`, 'reconnected'],
        ),
      ],
    },
    {
      title: 'Maintenance',
      panels: [
        lines('Jobs that chores moved', 'ops', 'What the leader published, made due, rescued or deleted.', [
          rateBy('warren_maintenance_jobs_total', HERE, 'task'),
          '{{task}}',
        ]),
        lines('Chores that failed', 'short', 'They are tried again; see the log of the leader.', [
          `sum by (task) (increase(warren_maintenance_failures_total{${HERE}}${RATE}))`,
          '{{task}}',
        ]),
      ],
    },
    {
      title: 'The server',
      panels: [
        lines(
          'Sessions by state',
          'short',
          'idle in transaction for long: somebody holds back the clearing of dead rows.',
          ['sum by (state) (pg_stat_activity_count)', '{{state}}'],
        ),
        lines(
          'Commits and rollbacks',
          'ops',
          'A group of jobs is one commit.',
          [`sum(rate(pg_stat_database_xact_commit${RATE}))`, 'commits'],
          [`sum(rate(pg_stat_database_xact_rollback${RATE}))`, 'rollbacks'],
        ),
        lines('Longest transaction', 's', 'Old ones keep dead rows alive.', [
          'max(pg_stat_activity_max_tx_duration)',
          'longest',
        ]),
      ],
    },
    {
      title: 'Tables',
      panels: [
        lines('Dead rows', 'short', 'Autovacuum clears them; a line that only rises is not cleared.', [
          'max by (relname) (pg_stat_user_tables_n_dead_tup{schemaname="warren"})',
          '{{relname}}',
        ]),
        lines('Live rows', 'short', 'Estimates of Postgres.', [
          'max by (relname) (pg_stat_user_tables_n_live_tup{schemaname="warren"})',
          '{{relname}}',
        ]),
        lines('Database size', 'bytes', 'Tables, indexes and all.', [
          'max by (datname) (pg_database_size_bytes)',
          '{{datname}}',
        ]),
      ],
    },
  ],
};

export const rabbitmq: Board = {
  uid: 'warren-rabbitmq',
  title: 'Warren: RabbitMQ',
  about:
    'What the fleet sends and takes, and how RabbitMQ fares. The lower half is of its plugin rabbitmq_prometheus.',
  variables: [namespace],
  rows: [
    {
      title: 'The fleet',
      panels: [
        lines('Connected', 'short', 'Processes that have their connection.', [
          `sum(warren_broker_connected{${HERE}})`,
          'processes',
        ]),
        lines(
          'Jobs published',
          'ops',
          'Not confirmed: the relay repeats it. Returned: RabbitMQ has no such queue.',
          [`sum(rate(warren_publishes_confirmed_total{${HERE}}${RATE}))`, 'confirmed'],
          [`sum(rate(warren_publishes_failed_total{${HERE}}${RATE}))`, 'not confirmed'],
          [`sum(rate(warren_publishes_returned_total{${HERE}}${RATE}))`, 'returned'],
        ),
        lines(
          'Consumers of the workers',
          'short',
          'missing: the worker has lost the channel and registers again.',
          [`sum by (state) (warren_worker_consumers{${HERE}})`, '{{state}}'],
        ),
        lines('Where workers take jobs from', 'short', 'postgres: the fallback lane.', [
          `sum by (lane) (warren_worker_lane{${HERE}})`,
          '{{lane}}',
        ]),
      ],
    },
    {
      title: 'The server',
      panels: [
        lines(
          'Messages',
          'short',
          'ready: no consumer has them yet. unacked: their jobs run.',
          ['sum(rabbitmq_queue_messages_ready)', 'ready'],
          ['sum(rabbitmq_queue_messages_unacked)', 'unacked'],
        ),
        lines(
          'Messages in and out',
          'ops',
          'Each of one to 16 jobs.',
          [`sum(rate(rabbitmq_global_messages_received_total${RATE}))`, 'received'],
          [`sum(rate(rabbitmq_global_messages_confirmed_total${RATE}))`, 'confirmed'],
          [`sum(rate(rabbitmq_global_messages_acknowledged_total${RATE}))`, 'acknowledged'],
          [`sum(rate(rabbitmq_global_messages_redelivered_total${RATE}))`, 'delivered again'],
        ),
        lines(
          'Connections, channels, consumers',
          'short',
          'A line that only rises is a leak.',
          ['sum(rabbitmq_connections)', 'connections'],
          ['sum(rabbitmq_channels)', 'channels'],
          ['sum(rabbitmq_consumers)', 'consumers'],
        ),
      ],
    },
    {
      title: 'Resources',
      panels: [
        number(
          'Memory alarm',
          'alarm',
          'RabbitMQ stops everybody who publishes.',
          'max(rabbitmq_alarms_memory_used_watermark)',
        ),
        number(
          'Disk alarm',
          'alarm',
          'RabbitMQ stops everybody who publishes.',
          'max(rabbitmq_alarms_free_disk_space_watermark)',
        ),
      ],
    },
    {
      title: 'Room',
      panels: [
        lines(
          'Memory',
          'bytes',
          'Resident memory, and the limit of the alarm.',
          ['max by (instance) (rabbitmq_process_resident_memory_bytes)', '{{instance}}'],
          ['max(rabbitmq_resident_memory_limit_bytes)', 'limit'],
        ),
        lines(
          'Free disk',
          'bytes',
          'Free space, and the limit of the alarm.',
          ['min by (instance) (rabbitmq_disk_space_available_bytes)', '{{instance}}'],
          ['max(rabbitmq_disk_space_available_limit_bytes)', 'limit'],
        ),
      ],
    },
  ],
};
