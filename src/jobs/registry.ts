/**
 * Every job type, by name: one line each. A type that is missing here can neither be enqueued nor run.
 */
import type { JobDefinition } from '#shared/job.ts';
import { buildReport } from './build-report.ts';
import { deliverWebhook } from './deliver-webhook.ts';
import { processOrder } from './process-order.ts';

export const definitions: ReadonlyMap<string, JobDefinition> = byType([
  processOrder,
  deliverWebhook,
  buildReport,
]);

function byType(all: readonly JobDefinition[]): Map<string, JobDefinition> {
  return new Map(all.map((definition) => [definition.type, definition]));
}
