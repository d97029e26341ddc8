/**
 * What the handlers of the job types that ship with Warren are given beside what every handler has.
 */
import type { HandlerClient } from '../postgres/handler-client.ts';
import type { KeylessEncryption } from './encryption.ts';
import type { Job, JobContext, JobSettings } from './job.ts';
import type { PersonsAct } from './transitions.ts';

/** The context of the job types that ship with Warren: they are configured by the process's settings, and may act on other jobs. */
export interface ShippedJobContext extends JobContext {
  settings: JobSettings;
  /** A client of Warren's own database, with the grants of a worker. */
  sql: HandlerClient;
  /** With the keys of this process. */
  encryption: KeylessEncryption;
  /** Tells of an act on a job that was committed. */
  publishAct(act: PersonsAct, job: Pick<Job, 'id' | 'type' | 'queue' | 'state'>): void;
}
