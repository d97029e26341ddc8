/**
 * From a job's id that was delivered to the fate of its message, whatever is the matter with its job: it is run here, it is not there, or it is
 * somebody else's. Knows neither Postgres nor AMQP.
 */
import type { Attempts, Disposition } from './attempt.ts';
import type { Delivered } from './claimer.ts';
import type { ForeignJobs } from './foreign-jobs.ts';
import type { UnknownJobs } from './unknown-jobs.ts';

/** One job of a message of a queue. */
export interface Delivery extends Delivered {
  queue: string;
  /** The message that it came in, by its identity. */
  message: object;
  /** How often it was delivered and given back before. */
  returns: number;
}

export interface DeliveryHandlers {
  attempts: Attempts;
  unknownJobs: UnknownJobs;
  foreignJobs: ForeignJobs;
}

/** `handlerEnded` is called when the job's handler has ended and only the record is left to do, if it comes to that. Never rejects. */
export async function runDelivery(
  { attempts, unknownJobs, foreignJobs }: DeliveryHandlers,
  { id, redelivered, queue, message, returns }: Delivery,
  handlerEnded: () => void,
): Promise<Disposition> {
  const result = await attempts.run({ id, redelivered, queue }, handlerEnded);
  if (typeof result === 'string' || result.kind === 'dead-letter') return result;
  if (result.reason === 'foreign') {
    handlerEnded(); // there is none: while the message is held, jobs that can run here have the slot
    return await foreignJobs.take({ id, type: result.type, queue, message, returns });
  }
  return unknownJobs.take(id, queue);
}
