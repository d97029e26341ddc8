// The gRPC server of an application: jobs watched to their end while workers run them, what is seen of a stop, and that it costs nothing where it is unused.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, Misconfigured, Warren } from '../../src/index.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { GrpcClient } from '../support/grpc.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

test('a job is watched live through its attempts to its end, by many at once; its watchers hear of a stop', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const knock = defineJob({
    type: 'knock',
    queue: 'doors',
    args: z.object({}),
    backoffMs: () => 3_600_000, // the test has it run again when all have seen that it has failed
    perform: async (_, { attempt, progress }) => {
      progress(0.5, 'at the door');
      await gates[attempt - 1]?.promise;
      if (attempt === 1) throw new Error('nobody is at home');
      return { opened: true };
    },
  });
  const app = defineApp({
    name: 'doors',
    queues: { doors: { channels: 1, prefetch: 10 } },
    jobs: [knock],
  });
  await using warren = new Warren({ app, databaseUrl: database.url, amqpUrl: vhost.url });
  await expect(warren.startGrpc({ host: '0.0.0.0', port: 0 })).rejects.toThrow(Misconfigured);
  await warren.start();
  const grpc = await warren.startGrpc({ port: 0, apiToken: 'secret' });
  const token = 'secret';
  using client = new GrpcClient(grpc.address);
  const { job } = (await client.call('Enqueue', { job: { type: 'knock', args: '{}' } }, { token })).body;
  const watches = Array.from({ length: 20 }, () => client.stream('Watch', { id: job.id }, { token }));
  for (const watch of watches) await watch.until((message) => message.job.state === 'JOB_STATE_AVAILABLE');
  await warren.startWorker();
  for (const watch of watches) await watch.until((message) => message.job.state === 'JOB_STATE_RUNNING');
  gates[0]?.resolve();
  for (const watch of watches) await watch.until((message) => message.job.state === 'JOB_STATE_RETRYABLE');
  await warren.jobs.run(job.id);
  for (const watch of watches) await watch.until((message) => message.job.attempt === 2);
  gates[1]?.resolve();
  for (const watch of watches) {
    expect((await watch.ended).code).toBe('OK');
    expect(watch.messages.at(-1).job).toMatchObject({
      state: 'JOB_STATE_COMPLETED',
      output: '{"opened":true}',
      progress: { share: 0.5, text: 'at the door' },
      errors: [{ attempt: 1, message: expect.stringContaining('nobody is at home') }],
    });
  }
  const again = client.stream('Watch', { id: job.id }, { token });
  expect(await again.ended).toMatchObject({ code: 'OK' });
  expect(again.messages).toHaveLength(1);
  expect(await client.stream('Watch', { id: '999' }, { token }).ended).toMatchObject({ code: 'NOT_FOUND' });

  const later = { type: 'knock', args: '{}', delayMs: 600_000 };
  const waiting = (await client.call('Enqueue', { job: later }, { token })).body.job;
  const left = client.stream('Watch', { id: waiting.id }, { token });
  const stopped = client.stream('Watch', { id: waiting.id }, { token });
  for (const watch of [left, stopped]) await watch.until(() => true);
  left.cancel();
  expect((await left.ended).code).toBe('CANCELLED');
  await grpc.stop();
  expect(await stopped.ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'stopping' });
});

test('told to stop, it says that it is not serving, serves on for the drain time, and answers what is under way', async () => {
  await using database = await createDatabase();
  await using api = await startApi({
    databaseUrl: database.url,
    environment: { GRPC_PORT: '0', API_DRAIN_MS: '60000' },
  });
  const address = api.api.grpcAddress as string;
  using client = new GrpcClient(address);
  using health = GrpcClient.health(address);
  const order = { type: 'process-order', args: '{"orderId":"17"}' };
  const { job } = (await client.call('Enqueue', { job: order })).body;
  const codes: string[] = [];
  const drained = new AbortController();
  const calling = callUntil(drained.signal, async () => {
    codes.push((await client.call('Get', { id: job.id })).code);
  });
  const stopping = api.api.stop();
  await eventually(
    () => health.call('Check', {}),
    ({ body }) => body.status === 'NOT_SERVING',
  );
  expect(await client.call('Get', { id: job.id })).toMatchObject({ code: 'OK' });
  drained.abort();
  await calling;
  await stopping;
  expect(new Set(codes)).toEqual(new Set(['OK']));
  expect(await client.call('Get', { id: job.id })).toMatchObject({ code: 'UNAVAILABLE', reason: undefined });
});

test('nothing of gRPC is loaded where it is not used', async () => {
  const root = new URL('../../', import.meta.url);
  const script = `
    await import('./src/index.ts');
    await import('./src/api/program.ts');
    const { createRequire } = await import('node:module');
    const loaded = Object.keys(createRequire(process.cwd() + '/').cache);
    console.log(JSON.stringify({ loaded: loaded.length, ofGrpc: loaded.filter((file) => /node_modules.(@grpc|grpc-|protobufjs)/.test(file)) }));`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  const { loaded, ofGrpc } = JSON.parse(stdout);
  expect(loaded).toBeGreaterThan(0);
  expect(ofGrpc).toEqual([]);
});

/** One call after the other. */
async function callUntil(signal: AbortSignal, call: () => Promise<void>): Promise<void> {
  while (!signal.aborted) await call();
}
