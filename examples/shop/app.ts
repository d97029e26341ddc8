/**
 * The shop: the application that the programs run where WARREN_APP names no other.
 */
import { defineApp, deliverWebhook } from 'warren/app';
import { buildReport } from './build-report.ts';
import { createOrders, createOrdersTable } from './orders.ts';
import { processOrder } from './process-order.ts';
import { registerRoutes } from './routes.ts';

export const app = defineApp({
  name: 'shop',
  queues: {
    critical: { channels: 5, prefetch: 20 },
    default: { channels: 5, prefetch: 20 },
    webhooks: { channels: 5, prefetch: 20 },
    reports: { channels: 5, prefetch: 1 },
  },
  jobs: [processOrder, deliverWebhook, buildReport],
  services: ({ sql }) => ({ orders: createOrders(sql) }),
  routes: registerRoutes,
  migrate: ({ sql }) => createOrdersTable(sql),
  module: import.meta.url,
});
