/**
 * The reasons why a job does not run, each with what it means: the list that docs/explain.md documents and the contract of the API names. Data only.
 */

export const reasons = {
  'due-later': 'its time has not come',
  'retry-later': 'it has failed, and the time of its next attempt has not come',
  'due-now': 'its time has just come, and it is about to be made available',
  expired: 'it was not started in time, or its time over all attempts has run out',
  'claims-closed': 'Postgres has crashed: nothing starts until its workers are back, some seconds long',
  'queue-paused': 'its queue is paused',
  'type-paused': 'its type is paused',
  'no-worker': 'no living worker serves its queue',
  'unknown-type': 'workers serve its queue, and none of them knows its type',
  limit: 'a limit that it counts against has no place',
  order: 'an earlier job of its ordering key has not ended',
  group: 'its group runs as many jobs as it may, or others have their turn',
  'broker-away': 'RabbitMQ is away or takes no messages, and no worker takes jobs straight from Postgres yet',
  'not-published': 'its message has not been sent yet',
  'workers-busy': 'every worker that could run it runs as many jobs as it may',
  'starts-next': 'nothing stands in its way: it is about to start',
  running: 'it runs',
  cancelling: 'it runs, and is asked to stop',
  'worker-lost': 'the worker that it ran on is dead or frozen; it will be given to another one',
  ended: 'it has ended',
} as const;

export type Reason = keyof typeof reasons;

export const reasonNames = Object.keys(reasons) as Reason[];
