// What a part of `npm run bench:work` is: a function from the stage to a report.
import type { Facts } from '../report/facts.ts';
import type { Report } from '../report/report.ts';
import type { Stage } from '../stage/stage.ts';
import type { Warren } from '../stage/warren.ts';

export interface PartOptions {
  stage: Stage;
  facts: Facts;
  log: (line: string) => void;
  /** Undefined where it takes no part. */
  before: Warren | undefined;
  /** 1: the sizes and durations that the results are made with. Less: a trial. */
  scale: number;
}

export type Part = (options: PartOptions) => Promise<Report>;

/** A size at this scale, at least `least`. */
export function scaled(size: number, { scale }: PartOptions, least = 1): number {
  return Math.max(least, Math.round(size * scale));
}

export const MIB = 1_048_576;
