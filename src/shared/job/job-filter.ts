/**
 * Which jobs are meant: of a list, a count and an act on many. What is left out does not count. Types only, no behaviour.
 */
import type { SearchedArguments } from './redaction.ts';
import type { JobState } from './transitions.ts';

export interface JobFilter {
  /** One of them, where there are several. */
  state?: JobState | readonly JobState[] | undefined;
  type?: string | readonly string[] | undefined;
  queue?: string | undefined;
  priority?: number | undefined;
  group?: string | undefined;
  /** All of them, where there are several. */
  tag?: string | readonly string[] | undefined;
  /** The batch that they belong to. */
  batch?: string | undefined;
  /** RFC 3339, as the other times. */
  createdAfter?: string | undefined;
  /** Only jobs that have ended have such a time. */
  finishedAfter?: string | undefined;
  finishedBefore?: string | undefined;
  /** Text in the arguments or in the message of an error. */
  q?: string | undefined;
}

/** A filter as the statements have it. */
export interface SearchFilter extends JobFilter {
  /** In which arguments `q` looks. Undefined: in all. */
  searched?: SearchedArguments | undefined;
}
