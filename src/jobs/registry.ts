/**
 * The application that the programs run: every queue and every job type, one line each. A type that is missing here can neither be enqueued nor run.
 */
import { defineApp } from '#shared/job/app.ts';
import { buildReport } from './build-report.ts';
import { deliverWebhook } from './deliver-webhook.ts';
import { processOrder } from './process-order.ts';

export const app = defineApp({
  name: 'shop',
  queues: {
    critical: { channels: 5, prefetch: 20 },
    default: { channels: 5, prefetch: 20 },
    webhooks: { channels: 5, prefetch: 20 },
    reports: { channels: 5, prefetch: 1 },
  },
  services: ({ sql }) => ({ sql }),
  module: import.meta.url,
  jobs: [processOrder, deliverWebhook, buildReport],
});

export const queueNames: readonly string[] = [...app.queues.keys()];
export const { definitions } = app;
