// The application of the alert test, for the real programs: a queue for each cause that needs one, and handlers that misbehave until a file is there.
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { defineApp, defineJob } from 'warren/app';
import { z } from 'zod';

/** `until`: the file whose coming ends the handler. */
const args = z.object({ until: z.string(), padding: z.string().optional() });

const LOOK_AGAIN_MS = 50;
/** Above the bound of the alert, and free for as long in between: its probes and scrapes are answered, late. */
const SPIN_MS = 400;

const fail = defineJob({
  type: 'fail',
  args: z.object({}),
  maxAttempts: 1,
  perform: async () => {
    throw new Error('as it was told to');
  },
});

const hold = defineJob({
  type: 'hold',
  args,
  perform: async ({ until }, { signal }) => {
    while (!existsSync(until)) await delay(LOOK_AGAIN_MS, undefined, { signal });
  },
});

/** Goes on after its time-out. */
const ignore = defineJob({
  type: 'ignore',
  args,
  timeoutMs: 500,
  maxAttempts: 1,
  perform: async ({ until }) => {
    while (!existsSync(until)) await delay(LOOK_AGAIN_MS);
  },
});

const spin = defineJob({
  type: 'spin',
  args,
  perform: async ({ until }, { signal }) => {
    while (!existsSync(until)) {
      const end = performance.now() + SPIN_MS;
      while (performance.now() < end);
      await delay(SPIN_MS, undefined, { signal });
    }
  },
});

const slots = { channels: 1, prefetch: 10 };

export const app = defineApp({
  name: 'alerts',
  queues: {
    default: slots,
    paused: slots,
    returned: slots,
    large: slots,
    lonely: slots,
    spin: slots,
    crash: slots,
    denied: slots,
  },
  jobs: [fail, hold, ignore, spin],
  module: import.meta.url,
});
