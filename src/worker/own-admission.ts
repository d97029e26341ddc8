/**
 * How a worker lets held jobs through: on its own pool, and with its own publisher.
 */
import { Admission } from '#queue/gates/admission.ts';
import { Outbox } from '#queue/outbox.ts';
import type { App } from '#shared/job/app.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { OwnPublisher } from './own-publisher.ts';

export interface OwnAdmissionOptions {
  app: App;
  database: Database;
  publisher: OwnPublisher;
  events: Events;
}

export function createAdmission({ app, database, publisher, events }: OwnAdmissionOptions): Admission {
  const mostTogether = (queue: string) => app.queues.get(queue)?.prefetch ?? 1;
  const outbox = new Outbox({ database, publisher, mostTogether, events });
  const publish = async (jobs: readonly Publishable[]) => {
    if (jobs.length > 0 && !publisher.ready) await publisher.opened().catch(() => {}); // then the relay sees to them
    await outbox.publish(jobs);
  };
  return new Admission({ database, publish, events });
}
