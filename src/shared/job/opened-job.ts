/**
 * A job of an encrypted type as the application's own code sees it: in the clear, where this process has the key. Nobody else sees it so: answers over
 * HTTP and gRPC hide it (redaction.ts). Pure.
 */
import type { Encryption } from './encryption.ts';
import type { JobDefinition } from './job.ts';

interface Sealed {
  type: string;
  args: unknown;
  output: unknown;
}

export function openJob<One extends Sealed>(
  job: One,
  definitions: ReadonlyMap<string, JobDefinition>,
  encryption: Encryption,
): One {
  if (definitions.get(job.type)?.encrypted !== true) return job;
  const { type } = job;
  const open = (part: 'args' | 'output') => {
    try {
      return encryption.open(job[part], { type, part });
    } catch {
      return job[part]; // as it is: a list is not to fail by one of its jobs
    }
  };
  return { ...job, args: open('args'), output: open('output') };
}
