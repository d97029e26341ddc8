/**
 * What a handler tells while it runs, as it is kept: lines of its log and how far it has come. Types and bounds only, no behaviour.
 */
/** Of one attempt. What comes after stands in the process's log alone; one more line says so. */
export const MAX_LOG_LINES = 1_000;
export const MAX_LOG_BYTES = 262_144;
/** Of one line. */
export const MAX_LOG_MESSAGE = 4_000;
/** Characters of the text beside a progress. */
export const MAX_PROGRESS_TEXT = 500;

export type JobLogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface JobLogLine {
  /** RFC 3339, from the database's clock. */
  at: string;
  attempt: number;
  level: JobLogLevel;
  message: string;
}

export interface JobProgress {
  /** 0 to 1. */
  share: number;
  text: string | null;
  /** RFC 3339, from the database's clock. */
  at: string;
}
