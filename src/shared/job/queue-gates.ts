/**
 * What an application defines of the gates of a queue: its ordering keys and its groups. Pure.
 */

/** Of jobs that name a `group`: the groups that wait take turns. */
export interface GroupOptions {
  /** At most so many jobs of one group at once, in the whole fleet. Defaults to any number. */
  maxRunning?: number | undefined;
  /** How many turns in a row a group has, 1 to 1000, by its name. Defaults to 1 for each. */
  weights?: Readonly<Record<string, number>> | undefined;
}

export interface QueueGates {
  /**
   * What becomes of an ordering key whose job was discarded: it goes on with the next job, or stops until somebody retries or deletes that one. Defaults to
   * `continue`.
   */
  onDiscard?: 'continue' | 'stop' | undefined;
  groups?: GroupOptions | undefined;
}

const MAX_RUNNING = 1_000_000;
const MAX_WEIGHT = 1_000;

/** What is wrong with them, in words that follow the name of the queue. */
export function findGateProblems({ onDiscard = 'continue', groups = {} }: QueueGates): string[] {
  const isWithin = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  const { maxRunning, weights = {} } = groups;
  const problems: string[] = [];
  if (onDiscard !== 'continue' && onDiscard !== 'stop')
    problems.push(`must have 'continue' or 'stop' as onDiscard`);
  if (maxRunning !== undefined && !isWithin(maxRunning, MAX_RUNNING))
    problems.push(`must have groups with a maxRunning of 1 to ${MAX_RUNNING}`);
  if (!Object.values(weights).every((weight) => isWithin(weight, MAX_WEIGHT)))
    problems.push(`must have groups with weights of 1 to ${MAX_WEIGHT}`);
  return problems;
}
