/**
 * The message: a hint that some jobs of one queue and one type can be run. Its body is their ids in decimal ASCII, separated by single spaces;
 * nothing else of a job travels.
 */
import type { ConsumeMessage, Options } from 'amqplib';
import { MAX_ID_DIGITS, parseId } from '../base/row-id.ts';

/** A message as the broker has delivered it. */
export type IncomingMessage = ConsumeMessage;

/** Ids that a message of ours carries at most: by then what a message costs is small beside what its jobs cost. */
export const MAX_IDS_WRITTEN = 16;
/** Ids that are taken from a message at most: a later version may write more. */
const MAX_IDS_READ = 32;
const MAX_BODY_BYTES = MAX_IDS_READ * (MAX_ID_DIGITS + 1) - 1;

/** What a message tells of a job. */
export interface HintedJob {
  id: string;
  type: string;
  queue: string;
}

/** Persistent and mandatory: it survives a restart of the broker, and comes back where no queue takes it. Named for its first job. */
export function messageOptions({ id, type }: Pick<HintedJob, 'id' | 'type'>): Options.Publish {
  return { persistent: true, mandatory: true, messageId: id, type, contentType: 'text/plain' };
}

export function encodeJobIds(jobs: readonly Pick<HintedJob, 'id'>[]): Buffer {
  return Buffer.from(jobs.map(({ id }) => id).join(' '), 'latin1');
}

/** The ids in a message, each once; null where the body is anything else. */
export function decodeJobIds({ content }: Pick<IncomingMessage, 'content'>): string[] | null {
  if (content.length > MAX_BODY_BYTES) return null;
  const ids = content.toString('latin1').split(' ');
  if (ids.length > MAX_IDS_READ) return null;
  for (const id of ids) if (parseId(id) === null) return null;
  return ids.length === 1 ? ids : [...new Set(ids)];
}

/**
 * The jobs that share a message: of one queue and one type, in their order, as many as `mostTogether` says of the queue and a message carries at
 * most.
 */
export function groupForMessages<Job extends HintedJob>(
  jobs: readonly Job[],
  mostTogether: (queue: string) => number,
): Job[][] {
  const groups: Job[][] = [];
  const open = new Map<string, Job[]>();
  for (const job of jobs) {
    const key = `${job.queue} ${job.type}`; // names have no spaces
    const group = open.get(key);
    if (group !== undefined && group.length < Math.min(mostTogether(job.queue), MAX_IDS_WRITTEN)) {
      group.push(job);
      continue;
    }
    const next = [job];
    groups.push(next);
    open.set(key, next);
  }
  return groups;
}
