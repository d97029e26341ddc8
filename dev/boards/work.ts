// The boards of what Warren does: the fleet, one queue, one job type. Metrics: docs/metrics.md.
import type { Board } from './grafana.ts';
import { lines, number } from './grafana.ts';
import {
  durations,
  failures,
  HERE,
  namespace,
  OF_QUEUE,
  OF_TYPE,
  oldest,
  percentile,
  queue,
  RATE,
  rateBy,
  throughput,
  type,
  waits,
} from './panels.ts';

export const fleet: Board = {
  uid: 'warren-fleet',
  title: 'Warren: fleet',
  about: 'Whether jobs are done, how late, and by whom.',
  variables: [namespace, queue],
  rows: [
    {
      title: 'Now',
      panels: [
        number('Workers', 'wanted', 'Workers that hold their lock.', `sum(warren_worker_present{${HERE}})`),
        number(
          'Leader',
          'wanted',
          'Exactly one worker does the maintenance.',
          `sum(warren_worker_leader{${HERE}})`,
        ),
        number(
          'RabbitMQ',
          'wanted',
          'Whether any process is connected. At 0 the workers take jobs from Postgres.',
          `max(warren_broker_connected{${HERE}})`,
        ),
        number(
          'Waiting',
          'plain',
          'Jobs that are due and wait.',
          `sum(max by (queue) (warren_jobs{${OF_QUEUE},state="available"}))`,
        ),
        number('Running', 'plain', 'Handlers at work.', `sum(warren_attempts_running{${OF_QUEUE}})`),
        number(
          'Without a message',
          'alarm',
          'Due jobs that RabbitMQ has no message of, for longer than a scrape: the relay is behind.',
          `max(warren_jobs_unpublished{${HERE}})`,
        ),
      ],
    },
    { title: 'Work', panels: [throughput(OF_QUEUE, 'state'), failures(OF_QUEUE), oldest] },
    {
      title: 'Queues',
      panels: [
        lines('Waiting jobs', 'short', 'Rows in Postgres that are due.', [
          `max by (queue) (warren_jobs{${OF_QUEUE},state="available"})`,
          '{{queue}}',
        ]),
        lines('Handlers at work', 'short', 'At most channels × prefetch of each worker.', [
          `sum by (queue) (warren_attempts_running{${OF_QUEUE}})`,
          '{{queue}}',
        ]),
        waits(OF_QUEUE),
      ],
    },
    {
      title: 'Health',
      panels: [
        lines(
          'Taken over, refused, given up',
          'short',
          'Jobs of workers that died; outcomes of attempts that had lost their claim; dead letters.',
          [`sum(increase(warren_jobs_taken_over_total{${HERE}}${RATE}))`, 'taken over'],
          [`sum(increase(warren_completions_fenced_total{${HERE}}${RATE}))`, 'outcome refused'],
          [`sum(increase(warren_dead_letters_total{${HERE}}${RATE}))`, 'dead letter'],
        ),
        lines('Event loop delay', 's', 'A handler that computes blocks the others of its process.', [
          `max by (pod) (warren_event_loop_delay_seconds{${HERE},quantile="0.99"})`,
          '{{pod}}',
        ]),
        lines('Memory', 'bytes', 'Resident memory of each process.', [
          `max by (pod) (process_resident_memory_bytes{${HERE},job=~"warren-.*"})`,
          '{{pod}}',
        ]),
        lines('HTTP answers by status', 'reqps', '503: Postgres is away or the pool is exhausted.', [
          rateBy('http_server_request_duration_seconds_count', HERE, 'status'),
          '{{status}}',
        ]),
      ],
    },
  ],
};

export const oneQueue: Board = {
  uid: 'warren-queue',
  title: 'Warren: queue',
  about: 'One queue: what waits in it, why, and what its workers do.',
  variables: [namespace, queue],
  rows: [
    { title: 'Work', panels: [throughput(OF_QUEUE, 'state'), failures(OF_QUEUE)] },
    {
      title: 'Waiting',
      panels: [
        lines(
          'Jobs by state',
          'short',
          'scheduled: due later. held: due, and refused by a limit, a group or an ordering key.',
          [`max by (state) (warren_jobs{${OF_QUEUE}})`, '{{state}}'],
        ),
        oldest,
        lines(
          'Rows beside messages',
          'short',
          'Waiting rows in Postgres, and messages in RabbitMQ, each of up to 16 jobs. Rows and no messages: the relay is behind, or RabbitMQ was emptied.',
          [`max by (queue) (warren_jobs{${OF_QUEUE},state="available"})`, '{{queue}} rows'],
          [`max by (queue) (warren_queue_messages_ready{${OF_QUEUE}})`, '{{queue}} messages'],
        ),
      ],
    },
    {
      title: 'Workers',
      panels: [
        waits(OF_QUEUE),
        durations(OF_QUEUE),
        lines(
          'Consumers',
          'short',
          'Consumers that RabbitMQ has on the queue: channels × workers. 0 while jobs wait: paused, or nobody serves it.',
          [`max by (queue) (warren_queue_consumers{${OF_QUEUE}})`, '{{queue}}'],
        ),
      ],
    },
    {
      title: 'Deliveries',
      panels: [
        lines(
          'Delivered, again, passed on',
          'ops',
          'Delivered again: a worker died or lost its channel. Passed on: it waited too long for a slot.',
          [`sum(rate(warren_deliveries_total{${OF_QUEUE}}${RATE}))`, 'delivered'],
          [`sum(rate(warren_redeliveries_total{${OF_QUEUE}}${RATE}))`, 'delivered again'],
          [`sum(rate(warren_jobs_passed_on_total{${OF_QUEUE}}${RATE}))`, 'passed on'],
        ),
        lines('Expired', 'ops', 'Jobs that had not started by the time at which they expired.', [
          rateBy('warren_jobs_expired_total', OF_QUEUE, 'type'),
          '{{type}}',
        ]),
      ],
    },
  ],
};

export const jobType: Board = {
  uid: 'warren-job-type',
  title: 'Warren: job type',
  about: 'One job type: how often, how long, how well.',
  variables: [namespace, queue, type],
  rows: [
    { title: 'Work', panels: [throughput(OF_TYPE, 'state'), failures(OF_TYPE)] },
    {
      title: 'Failures',
      panels: [
        lines('Share of attempts that fail', 'percentunit', 'Most of these are tried again.', [
          `${rateBy('warren_attempts_finished_total', `${OF_TYPE},outcome=~"retryable|discarded"`, 'type')} / ${rateBy('warren_attempts_finished_total', OF_TYPE, 'type')}`,
          '{{type}}',
        ]),
        lines('Given up', 'short', 'Jobs that have used up their attempts.', [
          `sum by (type) (increase(warren_jobs_finished_total{${OF_TYPE},state="discarded"}${RATE}))`,
          '{{type}}',
        ]),
      ],
    },
    {
      title: 'Time',
      panels: [
        durations(OF_TYPE),
        lines('Time that handlers took, by type', 's', 'The 99th percentile of each type.', [
          percentile(0.99, 'warren_attempt_duration_seconds', OF_TYPE, 'type'),
          '{{type}}',
        ]),
        waits(OF_TYPE),
      ],
    },
    {
      title: 'Now',
      panels: [
        lines('Handlers at work', 'short', 'By type.', [
          `sum by (type) (warren_attempts_running{${OF_TYPE}})`,
          '{{type}}',
        ]),
        lines(
          'Wait, and no worker knows the type',
          'short',
          'Start the workers of the application that has the type.',
          [`max by (type) (warren_jobs_unknown_type{${OF_TYPE}})`, '{{type}}'],
        ),
      ],
    },
  ],
};
