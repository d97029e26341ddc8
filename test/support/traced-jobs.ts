// The application of the test of traces, for the API, the worker, and the worker's threads and processes: handlers that make spans of their own.
import { propagation, trace } from '@opentelemetry/api';
import { z } from 'zod';
import { defineApp, defineJob } from '../../src/index.ts';
import type { JobContext } from '../../src/shared/job/job.ts';

const args = z.object({ failures: z.int().default(0) });

async function perform(
  { failures }: z.output<typeof args>,
  { log, attempt, jobId }: JobContext,
): Promise<string> {
  return await trace.getTracer('test').startActiveSpan('own work', async (span) => {
    span.setAttribute('job', jobId);
    span.setAttribute('tenant', propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none');
    log.info('at work');
    span.end();
    if (attempt <= failures) throw new Error('broken');
    return 'done';
  });
}

const common = { args, perform, backoffMs: () => 20, maxAttempts: 3 };

export const app = defineApp({
  name: 'traced',
  module: import.meta.url,
  queues: { default: {} },
  trace: { baggage: true },
  jobs: [
    defineJob({ type: 'inline', ...common }),
    defineJob({ type: 'thread', ...common, isolation: 'thread' }),
    defineJob({ type: 'process', ...common, isolation: 'process' }),
  ],
});
