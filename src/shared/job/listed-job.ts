/**
 * Jobs as a list shows them, and its bounds. Types and bounds only, no behaviour.
 */
import type { Job } from './job.ts';

/** A member of a job that takes more than this, as text, is not listed, in bytes. */
export const MAX_LISTED_BYTES = 4_096;

/** The members that a list may cut. */
export const truncatedMembers = ['args', 'output', 'errors'] as const;

export interface ListedJob extends Job {
  /** What is too large for a list: `args` and `output` are null then, of `errors` the last one is left, its message cut. */
  truncated: (typeof truncatedMembers)[number][];
}
