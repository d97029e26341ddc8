/**
 * `serve-ticket`: one ticket is served, which takes a while. A worker that has to stop meanwhile hands it back; another one begins anew.
 */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobContext } from 'warren/app';
import { defineJob } from 'warren/app';
import { z } from 'zod';
import type { Counter } from './counter.ts';
import { ticketSeconds } from './settings.ts';

const worker = `${hostname()}:${process.pid}`;

export const serveTicket = defineJob({
  type: 'serve-ticket',
  queue: 'tickets',
  args: z.object({ number: z.int().positive() }),
  async perform({ number }, { signal, services: { counter } }: JobContext<{ counter: Counter }>) {
    if (!(await counter.begin(number, worker))) return;
    await sleep(ticketSeconds() * 1_000, undefined, { signal });
    await counter.finish(number, worker);
  },
});
