// The application of the poison test, for the worker program and its quarantine alike: a job type that takes its process down, and a good one.
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { App } from '../../src/shared/job/app.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { testApp } from './test-app.ts';

const args = z.record(z.string(), z.unknown());

const poison = defineJob({
  type: 'poison',
  args,
  perform: async (_args, { log }) => {
    log.warn('last words', { code: 66 });
    process.exit(66);
  },
});

/** Ends when its neighbours have had the time to end the process. */
const neighbour = defineJob({
  type: 'neighbour',
  args,
  perform: async (_args, { signal }) => {
    await new Promise((resolve) => setTimeout(resolve, 300, signal));
    return 'fine';
  },
});

const failing = defineJob({
  type: 'failing',
  args,
  perform: async (_args, { log }) => {
    const error = new Error('broken', { cause: new TypeError('before') });
    const circle: { self?: object } = {};
    circle.self = circle;
    log.error('it breaks', error);
    log.debug('and turns round', circle);
    throw error;
  },
});

/** Says at once more than the way to its worker takes: half of it. */
const shouting = defineJob({
  type: 'shouting',
  args,
  perform: async (_args, { log }) => {
    for (let line = 0; line < 20; line += 1) log.info('x'.repeat(100_000));
  },
});

/** Sends messages of its own to its parent, as for a process manager, before it takes its process down. */
const signalling = defineJob({
  type: 'signalling',
  args,
  perform: async () => {
    for (const message of ['ready', null, { kind: 'online' }, { warren: 'ready' }, { warren: 'null' }]) {
      await new Promise((resolve) => process.send?.(message, resolve));
    }
    process.exit(67);
  },
});

export const poisonJobs = new Map(
  [poison, neighbour, failing, shouting, signalling].map((definition) => [definition.type, definition]),
);

export const app: App = {
  ...testApp(poisonJobs.values() as Iterable<JobDefinition>),
  module: import.meta.url,
};
