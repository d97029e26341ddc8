import { expect, test } from 'vitest';
import { noEncryption } from '../../src/shared/job/encryption.ts';
import { createHandlerClient } from '../../src/shared/postgres/handler-client.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { TransactionClients } from '../../src/shared/postgres/transaction-clients.ts';
import { Abort } from '../../src/worker/abort.ts';
import { createQuarantine } from '../../src/worker/isolation/quarantine.ts';
import { createUnrecordedTransactions } from '../../src/worker/own-transaction.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { app, poisonJobs } from '../support/poison-jobs.ts';

const settings = {
  webhookAllowPrivate: false,
  webhookAllowedDestinations: [],
  webhookNameservers: [],
  webhookSecrets: [],
};

const claim = (type: string): Claim => ({
  id: '1',
  type,
  queue: 'default',
  args: {},
  argsBytes: 2,
  attempt: 1,
  maxAttempts: 5,
  claimNumber: 1,
  fence: 1,
  crashes: 2,
  waitMs: 0,
  dueAt: 0,
  trace: null,
});

/** Runs jobs of the application of `poison-jobs.ts` in the quarantine, told to find it in the module. */
function runIn(module: string | undefined, fleet: Fleet) {
  const place = { url: fleet.testDatabase.url };
  const run = createQuarantine({
    app: { module },
    events: fleet.events,
    place,
    name: 'quarantine-test',
    owners: () => [],
  });
  const sql = createHandlerClient({ ...place, name: 'test', max: 1 });
  const transactions = createUnrecordedTransactions(
    new TransactionClients({ ...place, name: 'test', max: 1 }),
  );
  const resources = {
    middleware: [],
    encryption: noEncryption,
    sql,
    transactions,
    settings,
    services: undefined,
    events: fleet.events,
  };
  return async (type: string, abort = new Abort(), changes: Partial<Claim> = {}) => {
    const definition = poisonJobs.get(type);
    if (definition === undefined) throw new Error(`no job type ${type}`);
    return await run(definition, { ...claim(type), ...changes }, abort, resources);
  };
}

test('the quarantine tells what a job says and how it ended, crashed, or could not be run at all', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const run = runIn(app.module, fleet);
  using said = listen(fleet.events, 'handler.logged');
  expect(await run('neighbour')).toEqual({ kind: 'succeeded', output: 'fine', outputBytes: 6 });
  expect(await run('failing')).toMatchObject({
    kind: 'failed',
    message: 'Error: broken',
    origin: {
      stack: expect.stringContaining('poison-jobs.ts'),
      causes: [{ message: 'TypeError: before', stack: expect.stringContaining('poison-jobs.ts') }],
    },
  });
  expect(await run('poison')).toMatchObject({
    kind: 'crashed',
    message: expect.stringContaining('exit code 66'),
  });
  expect(await run('poison', new Abort(), { leftMs: 0 })).toMatchObject({
    kind: 'failed',
    message: expect.stringContaining('its time over all attempts'),
    retry: false,
  });
  const line = { jobId: '1', attempt: 1 };
  expect(said.all).toEqual([
    {
      ...line,
      type: 'failing',
      level: 'error',
      message: 'it breaks',
      error: 'Error: broken',
      origin: {
        stack: expect.stringContaining('poison-jobs.ts'),
        causes: [expect.objectContaining({ message: 'TypeError: before' })],
      },
    },
    {
      ...line,
      type: 'failing',
      level: 'debug',
      message: 'and turns round',
      details: { text: expect.stringContaining('Circular') },
    },
    { ...line, type: 'poison', level: 'warn', message: 'last words', details: { code: 66 } },
  ]);

  const nowhere = runIn(new URL('./no-such-module.ts', import.meta.url).href, fleet);
  for (let time = 0; time < 6; time += 1) {
    expect(await nowhere('neighbour')).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/^quarantine_failed/),
    });
  }

  expect(await runIn(undefined, fleet)('neighbour')).toMatchObject({
    kind: 'crashed',
    message: expect.stringContaining('the application does not name its module'),
  });

  const stopped = new Abort();
  const waiting = Promise.all(Array.from({ length: 9 }, () => run('neighbour', stopped)));
  stopped.abort('drain');
  expect(await waiting).toEqual(Array(9).fill({ kind: 'drained', handlerEnded: true }));
});

test('what a job sends over the channel of its process is never taken for its ending', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  expect(await runIn(app.module, fleet)('signalling')).toEqual({
    kind: 'crashed',
    message: 'worker_crashed: the job took a process of its own down (exit code 67)',
  });
});

test('lines of a job that are more than its worker takes at once are dropped, and their count is told', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  using said = listen(fleet.events, 'handler.logged');
  using dropped = listen(fleet.events, 'log.dropped');
  using recovered = listen(fleet.events, 'log.recovered');
  expect(await runIn(app.module, fleet)('shouting')).toEqual({ kind: 'succeeded' });
  expect(said.all).toHaveLength(10);
  expect(dropped.all).toEqual([{ lines: 10 }]);
  expect(recovered.all).toEqual([{ lines: 10 }]);
});
