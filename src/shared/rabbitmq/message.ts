/**
 * The message: a hint that a job can be run. Its body is the job's id in decimal ASCII; nothing else of the job travels.
 */
import type { ConsumeMessage, Options } from 'amqplib';
import { MAX_ID_DIGITS, parseId } from '../base/row-id.ts';

/** Persistent and mandatory: it survives a restart of the broker, and comes back where no queue takes it. */
export function messageOptions({ id, type }: { id: string; type: string }): Options.Publish {
  return { persistent: true, mandatory: true, messageId: id, type, contentType: 'text/plain' };
}

/** The job's id in a message, or null where the body is none. */
export function decodeJobId({ content }: Pick<ConsumeMessage, 'content'>): string | null {
  if (content.length === 0 || content.length > MAX_ID_DIGITS) return null;
  return parseId(content.toString('latin1'));
}
