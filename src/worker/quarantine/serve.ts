/**
 * The other side of the quarantine: performs the one job that it is told, says how it ended, and lets go of everything.
 */
import type { JobDefinition } from '#shared/job/job.ts';
import { createHandlerClient } from '#shared/postgres/handler-client.ts';
import { Abort } from '../abort.ts';
import type { Ending } from '../perform.ts';
import { perform } from '../perform.ts';
import type { Instruction, Report } from './quarantine.ts';

/** One job runs here. */
const MAX_CONNECTIONS = 2;

export interface QuarantineChannel {
  onInstruction: (listener: (instruction: Instruction) => void) => void;
  /** Resolves when the report has been handed over. */
  report: (report: Report) => Promise<void>;
}

/** Resolves when the job has ended and its ending was reported. */
export async function serveQuarantine(
  definitions: ReadonlyMap<string, JobDefinition>,
  { onInstruction, report }: QuarantineChannel,
): Promise<void> {
  const abort = new Abort();
  const told = Promise.withResolvers<Extract<Instruction, { kind: 'perform' }>>();
  onInstruction((instruction) => {
    if (instruction.kind === 'perform') told.resolve(instruction);
    else abort.abort(instruction.reason);
  });
  const { claim, settings, place, name } = await told.promise;
  const sql = createHandlerClient({ ...place, name, max: MAX_CONNECTIONS });
  const definition = definitions.get(claim.type);
  await report('started');
  const ending: Ending =
    definition === undefined
      ? { kind: 'failed', message: `the quarantine has no job type "${claim.type}"` }
      : await perform(definition, claim, abort, { sql, settings });
  await report(ending);
  await sql.end({ timeout: 2 });
}
