/**
 * What a quarantine process tells its worker, over the channel between the two.
 *
 * Guarantees: what the application sends over the same channel (`process.send('ready')`, as for a process manager) is never taken for a report.
 */
import type { Ending } from '../ending.ts';

/** That the handler starts, what that says in the log and how many of its lines were dropped, then how it ended. */
export type Report =
  | { kind: 'started' }
  | { kind: 'logged'; line: string }
  | { kind: 'dropped'; lines: number }
  | { kind: 'ended'; ending: Ending };

/** A report as it travels. */
export interface Envelope {
  warren: Report;
}

/** Undefined where the message is not a report. */
export function readReport(message: unknown): Report | undefined {
  return (Object(message) as Partial<Envelope>).warren;
}
