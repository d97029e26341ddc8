// The option `log` of `Warren`: what an instance says in the process of an application, and that it says nothing unless it is told to.
import { resolve } from 'node:path';
import pino from 'pino';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { runCommand } from '../../dev/command.ts';
import type { LogTarget } from '../../src/index.ts';
import { defineApp, defineJob, Misconfigured, Warren } from '../../src/index.ts';
import { HANG_MS } from '../support/eventually.ts';
import { createDatabase } from '../support/servers.ts';

const fail = defineJob({
  type: 'fail',
  args: z.object({}),
  maxAttempts: 1,
  perform: async (_, { log }) => {
    log.info('about to fail', { why: 'a test' });
    throw new Error('on purpose');
  },
});
const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [fail] });

interface Line {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

function recorder(): LogTarget & { lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields: { ...fields }, message });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

test('a logger of the application has the lines of its own instance, and none of another', async () => {
  await using database = await createDatabase();
  const [working, enqueuing] = [recorder(), recorder()];
  const open = (log: LogTarget) => new Warren({ app, databaseUrl: database.url, amqpUrl: 'none', log });
  {
    await using worker = open(working);
    await using enqueuer = open(enqueuing);
    await Promise.all([worker.start(), enqueuer.start()]);
    await worker.startWorker();
    const { job } = await enqueuer.enqueue(fail, {});
    await enqueuer.jobs.wait(job.id, { timeoutMs: HANG_MS });
  }
  expect(working.lines).toEqual(
    expect.arrayContaining([
      {
        level: 'info',
        message: 'about to fail',
        fields: expect.objectContaining({ type: 'fail', attempt: 1, details: { why: 'a test' } }),
      },
      {
        level: 'error',
        message: 'job discarded: it is not tried again',
        fields: expect.objectContaining({ type: 'fail', error: 'Error: on purpose' }),
      },
    ]),
  );
  expect(enqueuing.lines.filter(({ fields }) => fields['type'] === 'fail')).toEqual([]);
});

test('pino and the console are such loggers, and what is none is refused', () => {
  const open = (log: LogTarget | 'warn' | boolean) =>
    new Warren({ app, databaseUrl: 'postgres://127.0.0.1:1/none', amqpUrl: 'none', log });
  for (const log of [pino({ level: 'silent' }), console, 'warn', true] as const)
    expect(open(log)).toBeDefined();
  for (const wrong of ['loud', { warn: () => {} }, 7])
    expect(() => open(wrong as unknown as LogTarget)).toThrow(Misconfigured);
});

/** A process with an instance that logs as it is told, and one that is told nothing: a job of each fails. */
function twoInstances(log: string): string {
  const face = JSON.stringify(resolve(import.meta.dirname, '../../src/index.ts'));
  return `
    import { defineApp, defineJob, Warren } from ${face};
    const args = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
    const perform = async () => { throw new Error('on purpose'); };
    for (const [name, options] of [['told', { log: ${log} }], ['silent', {}]]) {
      const job = defineJob({ type: 'fail-' + name, queue: name, args, maxAttempts: 1, perform });
      const app = defineApp({ name, queues: { [name]: {} }, jobs: [job] });
      const warren = new Warren({ app, databaseUrl: process.env.DATABASE_URL, amqpUrl: 'none', ...options });
      await warren.start();
      await warren.startWorker();
      const { job: { id } } = await warren.enqueue(job, {});
      await warren.jobs.wait(id, { timeoutMs: ${HANG_MS} });
      await warren.stop();
    }`;
}

test.each([
  ['true', true],
  ["'fatal'", false],
  ['undefined', false],
])('standard output has lines where `log` is %s: %s', async (log, hasLines) => {
  await using database = await createDatabase();
  const { status, stdout, stderr } = await runCommand(
    process.execPath,
    ['--input-type=module', '--eval', twoInstances(log)],
    { env: { PATH: '/usr/bin:/bin', DATABASE_URL: database.url }, timeoutMs: 2 * HANG_MS },
  );
  expect(status, stderr).toBe(0);
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { name: string; type?: string; msg: string });
  expect(new Set(lines.map(({ name }) => name))).toEqual(new Set(hasLines ? ['told'] : []));
  expect(lines.filter(({ msg }) => msg === 'job discarded: it is not tried again')).toHaveLength(
    hasLines ? 1 : 0,
  );
});
