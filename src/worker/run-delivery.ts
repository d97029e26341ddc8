/**
 * From a delivery to the fate of its message, whatever is the matter with its job: it is run here, it is not there, or it is somebody else's. Knows
 * neither Postgres nor AMQP.
 */
import type { Attempts, Disposition } from './attempt.ts';
import type { Delivered } from './claimer.ts';
import type { ForeignJobs } from './foreign-jobs.ts';
import type { UnknownJobs } from './unknown-jobs.ts';

/** A message of a queue. */
export interface Delivery extends Delivered {
  queue: string;
  /** How often it was delivered and given back before. */
  returns: number;
}

export interface DeliveryHandlers {
  attempts: Attempts;
  unknownJobs: UnknownJobs;
  foreignJobs: ForeignJobs;
}

/** Never rejects. */
export async function runDelivery(
  { attempts, unknownJobs, foreignJobs }: DeliveryHandlers,
  { id, redelivered, queue, returns }: Delivery,
): Promise<Disposition> {
  const result = await attempts.run({ id, redelivered });
  if (typeof result === 'string' || result.kind === 'dead-letter') return result;
  if (result.reason === 'foreign') return await foreignJobs.take({ id, type: result.type, queue, returns });
  return unknownJobs.take(id, queue);
}
