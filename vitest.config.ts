// Five kinds of tests: `unit` needs nothing, `integration` needs RabbitMQ and Postgres, `model` plays random sequences of everything that happens to jobs
// on Postgres, `system` runs whole programs, `faults` breaks servers of its own and whole programs on them.
// Deadlines are for hangs, not for slowness: a minute and more, as other work may share the machine.
// `vitest run --project unit` starts no servers. Two files at a time, because more only makes the servers slower.
import { defineConfig } from 'vitest/config';

const serverSetup = 'test/support/global-setup.ts';
/**
 * How often a test that has failed is tried again. Whoever passes only then is named before the closing line. `.ci/run` asks for once. Not for the model and the faults: what
 * loses a job there once in many runs has lost a job.
 */
const retry = Number(process.env['TEST_RETRIES'] ?? 0);

export default defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/system/**', 'test/faults/**', 'test/model/**'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: serverSetup,
          retry,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          globalSetup: serverSetup,
          testTimeout: 600_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/system/**/*.test.ts'],
          globalSetup: serverSetup,
          retry,
          testTimeout: 300_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: 'test/faults/core-setup.ts',
          env: { FAULT_FOLDER: '.services/test/faults' },
          testTimeout: 300_000,
          hookTimeout: 180_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
