import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import { enqueueInTransaction } from '../../src/queue/enqueue-in-transaction.ts';
import { eventually } from '../support/eventually.ts';
import { startProgram } from '../support/program.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const MEBIBYTE = 1_048_576;
const COPIES = 100;
const NEIGHBOURS = 50;
const timeoutMs = 240_000;

/** The heap that the manifests give a worker. */
function nodeOptions(): string {
  const manifest = parse(
    readFileSync(resolve(import.meta.dirname, '../../k8s/base/worker/deployment.yaml'), 'utf8'),
  );
  const { env } = manifest.spec.template.spec.containers[0] as { env: { name: string; value?: string }[] };
  const found = env.find(({ name }) => name === 'NODE_OPTIONS')?.value;
  if (found === undefined) throw new Error('the manifest bounds no heap');
  return found;
}

/** Bodies of 1 MiB: the first is small when Postgres has compressed it, the last becomes many times its size when it is parsed. */
const bodies = {
  'one long text': 'x'.repeat(MEBIBYTE),
  'letters of two bytes': 'ж'.repeat(MEBIBYTE / 2),
  'empty objects by the hundred thousand': Array.from({ length: MEBIBYTE / 4 }, () => ({})),
};

async function startReceiver(): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test('a worker with the memory of the manifests completes 300 webhooks with bodies of 1 MiB beside its other jobs', {
  timeout: timeoutMs + 30_000,
}, async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using receiver = await startReceiver();
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  const webhook = (body: unknown, queue?: 'critical') =>
    ({ definition: deliverWebhook, args: { url: receiver.url, body }, queue }) as const;
  for (const body of Object.values(bodies)) await enqueueInTransaction(sql, [webhook(body)]);
  await sql`
      insert into warren.jobs (type, queue, args, args_bytes, max_attempts, state, relay_at)
      select type, queue, args, args_bytes, max_attempts, state, relay_at
      from warren.jobs, generate_series(2, ${COPIES}::int)`;
  await enqueueInTransaction(
    sql,
    Array.from({ length: NEIGHBOURS }, () => webhook('small', 'critical')),
  );

  await using worker = await startProgram('worker', {
    DATABASE_URL: database.url,
    AMQP_URL: vhost.url,
    WORKER_HEALTH_PORT: '0',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    NODE_OPTIONS: nodeOptions(),
  });
  const died = worker.exited.then(() => {
    throw new Error(`the worker died:\n${worker.text.slice(0, 20).join('\n')}`);
  });
  const count = async () => {
    const rows = await sql<{ queue: string; state: string; count: number }[]>`
        select queue, state, count(*)::int as count from warren.jobs where crashes = 0 group by queue, state`;
    return Object.fromEntries(rows.map((row) => [`${row.queue} ${row.state}`, row.count]));
  };
  const everyBody = COPIES * Object.keys(bodies).length;
  const ended = eventually(count, (counts) => counts['webhooks completed'] === everyBody, {
    timeoutMs,
    everyMs: 250,
  });
  await Promise.race([ended, died]);
  expect(await count()).toEqual({ 'webhooks completed': everyBody, 'critical completed': NEIGHBOURS });
  await sql.end();
  died.catch(() => {});
  worker.signal('SIGTERM');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
});
