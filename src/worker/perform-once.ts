/**
 * Performs one attempt of a job that stands in no database, and says what would have been recorded: for tests.
 */
import type { JobDefinition } from '#shared/job/job.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { transition } from '#shared/job/transitions.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import { Abort } from './abort.ts';
import type { Ending } from './ending.ts';
import { toOutcome } from './ending.ts';
import type { PerformResources } from './perform.ts';
import { perform } from './perform.ts';

export interface AttemptOptions {
  /** The number of the attempt, from 1. Defaults to 1. */
  attempt?: number;
  /** Attempts in all. Defaults to the job type's. */
  maxAttempts?: number;
}

/** What one attempt comes to. */
export interface Performed {
  /** The state that the job would have then: `completed`, `retryable`, `discarded`, `cancelled`, or `scheduled` where it was snoozed. */
  state: JobState;
  /** What the handler has returned. */
  output?: unknown;
  /** Why it has failed or was cancelled. */
  error?: string;
  /** Until the next attempt, in milliseconds. */
  delayMs?: number;
}

/** Never rejects. `args`: as they are enqueued; the handler gets what the schema makes of them as JSON has kept them. */
export async function performOnce(
  definition: JobDefinition,
  args: unknown,
  {
    resources,
    attempt = 1,
    maxAttempts = definition.maxAttempts,
  }: AttemptOptions & { resources: PerformResources },
): Promise<Performed> {
  const text = JSON.stringify(args ?? null);
  const claim: Claim = {
    id: '1',
    type: definition.type,
    queue: definition.queue,
    args: JSON.parse(text),
    argsBytes: text.length,
    attempt,
    maxAttempts,
    fence: 1,
    claimNumber: 1,
    crashes: 0,
    waitMs: 0,
    dueAt: 0,
    trace: null,
  };
  const ending = await perform(definition, claim, new Abort(), resources);
  return toPerformed(ending, claim, definition);
}

function toPerformed(ending: Ending, claim: Claim, definition: JobDefinition): Performed {
  const { act, delayMs } = toOutcome(ending, claim, definition);
  const { to: state = 'available' } = transition(act);
  return {
    state,
    ...('output' in ending && ending.output !== undefined ? { output: ending.output } : {}),
    ...('message' in ending && ending.message !== undefined ? { error: ending.message } : {}),
    ...(delayMs === undefined ? {} : { delayMs }),
  };
}
