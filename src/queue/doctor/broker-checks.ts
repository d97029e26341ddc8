/**
 * What is looked for in RabbitMQ. Pure.
 */
import type { Check, WithBroker, WithManagement } from './check.ts';

const TOPOLOGY = 'docs/topology.md';
const OPERATIONS = 'docs/operations.md';
const DEAD = 'warren.dead';

export const brokerChecks: readonly Check<WithBroker>[] = [
  {
    code: 'rabbitmq-away',
    severity: 'error',
    looksFor: 'a RabbitMQ that does not answer',
    remedy: 'start it, or mend AMQP_URL; meanwhile the workers take jobs straight from Postgres',
    page: OPERATIONS,
    find: ({ broker: { problem } }) =>
      problem === undefined ? [] : [`RabbitMQ does not answer: ${problem}`],
  },
  {
    code: 'queue-missing',
    severity: 'warning',
    looksFor: 'a queue of the application that RabbitMQ has not',
    remedy: 'start a program of the application: it declares what it needs',
    page: TOPOLOGY,
    find: ({ broker }) => broker.missingQueues.map((name) => `there is no warren.${name}`),
  },
  {
    code: 'dead-letters',
    severity: 'warning',
    looksFor: 'messages in `warren.dead`',
    remedy:
      'look at them with `warren dead-letters list`, mend the cause, and send them again or delete them: the jobs are in Postgres',
    page: 'docs/dead-letters.md',
    find: ({ broker: { deadLetters } }) =>
      (deadLetters ?? 0) > 0 ? [`${deadLetters} messages lie in warren.dead`] : [],
  },
  {
    code: 'management-unasked',
    severity: 'note',
    looksFor: 'that the alarms and bindings of RabbitMQ could not be looked at',
    remedy: 'set RABBITMQ_MANAGEMENT_URL, with a user who has the tag `monitoring`',
    page: 'docs/command-line.md',
    find: ({ broker: { management } }) =>
      management === undefined || !('problem' in management)
        ? []
        : [`the management API: ${management.problem}`],
  },
];

export const managementChecks: readonly Check<WithManagement>[] = [
  {
    code: 'broker-alarm',
    severity: 'error',
    looksFor: 'an alarm of memory or disk: RabbitMQ takes no messages',
    remedy: 'free memory or disk, or raise the limit; what is enqueued waits in Postgres',
    page: OPERATIONS,
    find: ({ management }) =>
      management.alarms.map((what) => `RabbitMQ has an alarm, and takes no messages: ${what}`),
  },
  {
    code: 'node-stopped',
    severity: 'error',
    looksFor: 'a node of the cluster that does not run, or is cut off',
    remedy: 'start it again; at most one of three at a time',
    page: OPERATIONS,
    find: ({ management }) => [
      ...management.stoppedNodes.map((name) => `${name} does not run`),
      ...management.partitions.map((name) => `${name} is cut off from others`),
    ],
  },
  {
    code: 'queue-mistyped',
    severity: 'error',
    looksFor: 'a queue of another type than RABBITMQ_QUEUE_TYPE says, or one that is not durable',
    remedy: 'let it run empty and delete it: a program declares it anew',
    page: TOPOLOGY,
    find: ({ management, queueType }) =>
      management.queues
        .filter(({ name, type, isDurable }) => !isDurable || type !== (name === DEAD ? 'quorum' : queueType))
        .map(({ name, type, isDurable }) => `${name} is ${isDurable ? type : 'not durable'}`),
  },
  {
    code: 'queue-unbound',
    severity: 'error',
    looksFor: 'a queue that messages of the exchange do not reach',
    remedy: 'restart a program of the application: it binds its queues',
    page: TOPOLOGY,
    find: ({ management }) => management.unbound.map((name) => `${name} is bound to nothing`),
  },
  {
    code: 'dead-letters-lost',
    severity: 'warning',
    looksFor: 'a queue whose refused messages go nowhere',
    remedy: 'let it run empty and delete it: a program declares it anew',
    page: TOPOLOGY,
    find: ({ management }) =>
      management.queues
        .filter(({ name, deadLetterExchange }) => name !== DEAD && deadLetterExchange !== DEAD)
        .map(({ name }) => `${name} has no dead-letter exchange of ours`),
  },
  {
    code: 'policy-loses',
    severity: 'warning',
    looksFor: 'a policy or an argument that takes messages out of a queue of ours: a time to live, a length',
    remedy: 'take it off: the jobs stay in Postgres, but each has to be found and sent again',
    page: TOPOLOGY,
    find: ({ management }) =>
      management.queues
        .filter(({ losing }) => losing.length > 0)
        .map(({ name, losing }) => `${name} has ${losing.join(', ')}`),
  },
];
