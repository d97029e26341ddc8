/**
 * The deli counter: whoever takes a ticket stands in line until a worker has served it. One worker serves one ticket at a time.
 */
import { defineApp } from 'warren/app';
import { createCounter, createTicketsTable } from './counter.ts';
import { registerRoutes } from './routes.ts';
import { serveTicket } from './serve-ticket.ts';

export const app = defineApp({
  name: 'tickets',
  queues: { tickets: { channels: 1, prefetch: 1 } },
  jobs: [serveTicket],
  services: ({ sql }) => ({ counter: createCounter(sql) }),
  routes: registerRoutes,
  migrate: ({ sql }) => createTicketsTable(sql),
  module: import.meta.url,
});
