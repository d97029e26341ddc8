/**
 * The queues of the fleet. A job goes to one of these; the broker calls them `warren.<name>`.
 * To add a queue: add a line here and give it channels in `WORKER_QUEUES`.
 */
export const queueNames = ['critical', 'default', 'webhooks', 'reports'] as const;

export type QueueName = (typeof queueNames)[number];

export function isQueueName(name: string): name is QueueName {
  return (queueNames as readonly string[]).includes(name);
}
