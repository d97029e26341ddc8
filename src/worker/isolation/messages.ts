/**
 * What a worker and its isolates (threads and processes in which handlers run) tell each other. It travels as text, so that a thread and a process
 * are told the same, and nothing that cannot be copied is lost on the way.
 *
 * Guarantees: what the application sends over the same channel (`process.send('ready')`, as for a process manager) is never taken for a report.
 */
import type { JobSettings } from '#shared/job/job.ts';
import type { EventMessages } from '#shared/observe/events.ts';
import type { ConnectionPlace } from '#shared/postgres/connection-options.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { AbortReason } from '../abort.ts';
import type { Ending } from '../ending.ts';

/** What an isolate needs before it can perform anything. */
export interface IsolateStart {
  /** URL of the module that exports the application. */
  module: string;
  /** Where its database is. */
  place: ConnectionPlace;
  /** Of its connections. */
  name: string;
  /** Megabytes that it may take; undefined: as many as there are. */
  memoryMb?: number | undefined;
  /** How far it stands back where the processor is busy, 0 to 19. Defaults to 0. */
  niceness?: number | undefined;
}

export interface PerformInstruction {
  kind: 'perform';
  claim: Claim;
  settings: JobSettings;
  /** All numbers that its worker has had: whose claim it is. */
  owners: readonly string[];
  encryptionKeys: string | undefined;
}

/** What an isolate is told: to get ready, then one attempt after the other, each perhaps to stop, and at last to let go of everything. */
export type Instruction =
  | ({ kind: 'start' } & IsolateStart)
  | PerformInstruction
  | { kind: 'abort'; reason: AbortReason }
  /** A report has arrived. */
  | { kind: 'taken' }
  | { kind: 'close' };

/**
 * What an isolate tells: that it is ready or why it is not (`isOutage`: Postgres is away), that the handler starts, what that says in the log and how many
 * of its lines were dropped, how far it has come, then how it ended (`isSpent`: it shall perform nothing else).
 */
export type Report =
  | { kind: 'ready' }
  | { kind: 'unready'; message: string; isOutage: boolean }
  | { kind: 'started' }
  | { kind: 'logged'; line: string }
  | { kind: 'dropped'; lines: number }
  | { kind: 'progressed'; progress: EventMessages['handler.progressed'] }
  | { kind: 'ended'; ending: Ending; isSpent: boolean };

/** A message as it travels. */
interface Envelope {
  warren: string;
}

export function seal(message: Instruction | Report): Envelope {
  return { warren: JSON.stringify(message) };
}

/** Undefined where the message is not ours. */
export function readInstruction(message: unknown): Instruction | undefined {
  return open(message);
}

/** Undefined where the message is not a report. */
export function readReport(message: unknown): Report | undefined {
  return open(message);
}

function open<Message>(message: unknown): Message | undefined {
  const { warren } = Object(message) as Partial<Envelope>;
  if (typeof warren !== 'string') return undefined;
  try {
    const opened: Message & { kind?: unknown } = JSON.parse(warren);
    return typeof opened?.kind === 'string' ? opened : undefined;
  } catch {
    return undefined; // the application's own, by chance of the same shape
  }
}
