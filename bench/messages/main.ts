// `npm run bench:messages`: what one message costs the message service of examples/messages, from its request to its row, beside a bare route; and what
// 100 000 messages per second would take by that. Both in turn within every round. Results are written where no option is given.
import postgres from 'postgres';
import { waitUntil } from '../../dev/wait-until.ts';
import type { LoadResult } from '../enqueue/load.ts';
import { LoadGenerator } from '../enqueue/load.ts';
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { writeReport } from '../report/results.ts';
import { percentile } from '../report/statistics.ts';
import { areDefaults, readOptions, runOnStage } from '../stage/command-line.ts';
import { createDatabase, createVhost } from '../stage/places.ts';
import {
  othersShare,
  processorTimeBetween,
  readMachineTime,
  readProcessorTime,
  serverParticipants,
} from '../stage/processor-time.ts';
import type { Stage, Started } from '../stage/stage.ts';
import { root } from '../stage/warren.ts';
import type { Run } from './page.ts';
import { composeReport } from './page.ts';

const defaults = { rounds: '5', requests: '20000', connections: '100' };
const options = readOptions({
  name: 'npm run bench:messages',
  about:
    'Measures what a message costs the message service, beside a bare route. Results are kept where no option is given.',
  defaults,
  meanings: {
    rounds: 'rounds, each with the service and the bare route',
    requests: 'requests of each run',
    connections: 'connections at a time',
  },
});
const rounds = Number(options.rounds);
const requests = Number(options.requests);
const connections = Number(options.connections);

const STORED_TIMEOUT_MS = 120_000;
const MESSAGE = {
  ts: '20240131',
  sender: 'ada',
  messageAttributes: { topic: 'engines', kind: 'note', page: 7 },
  sent_from_ip: '192.0.2.7',
  priority: 5,
};

interface Service {
  bare: Started;
  publisher: Started;
  consumer: Started;
  sql: postgres.Sql;
  load: LoadGenerator;
  stage: Stage;
}

await runOnStage('bench-messages', async (stage, log) => {
  using load = new LoadGenerator();
  const service = await startService(stage, load);
  const runs: Run[] = [];
  await measure(service, 'bare'); // warms both up
  await measure(service, 'messages');
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? (['bare', 'messages'] as const) : (['messages', 'bare'] as const)) {
      const run = await measure(service, name);
      runs.push(run);
      log(`round ${round + 1}: ${name}, ${Math.round(run.perSecond)} requests per second`);
    }
  }
  await assertStored(service.sql, (rounds + 1) * requests);
  const storedBytes = await readStoredBytes(service.sql);
  await service.sql.end();
  const facts = await collectFacts({ servers: stage.services });
  const report = composeReport({ facts, runs, storedBytes, rounds, requests, connections });
  process.stdout.write(areDefaults(options, defaults) ? writeReport(report) : renderReport(report));
});

async function startService(stage: Stage, load: LoadGenerator): Promise<Service> {
  const databaseUrl = await createDatabase(stage.services.databaseUrl, 'bench_messages');
  const { url: amqpUrl } = await createVhost(stage.services, 'bench_messages');
  const env = {
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    WARREN_APP: `${root}/examples/messages/app.ts`,
  };
  const { exited } = await stage.spawn({ name: 'migrate', file: 'dev/migrate.ts', env });
  if ((await exited).code !== 0) throw new Error('migrate has failed; see migrate.log');
  return {
    bare: await stage.start({ name: 'bare', file: 'bench/messages/bare.ts', env: {} }),
    publisher: await stage.start({ name: 'publisher', file: 'src/api/main.ts', env }),
    consumer: await stage.start({
      name: 'consumer',
      file: 'src/worker/main.ts',
      portSetting: 'WORKER_HEALTH_PORT',
      env,
    }),
    sql: postgres(databaseUrl, { max: 1, onnotice: () => {} }),
    load,
    stage,
  };
}

/** Until every message is stored and its job recorded, so that all it costs is counted. */
async function measure(service: Service, name: 'bare' | 'messages'): Promise<Run> {
  const { bare, publisher, consumer, sql, load, stage } = service;
  const participants = {
    publisher: (name === 'bare' ? bare : publisher).process.pid,
    consumer: consumer.process.pid,
    ...serverParticipants(stage),
  };
  const walBefore = await readWalEnd(sql);
  const machine = readMachineTime();
  const started = readProcessorTime(participants);
  const result = await load.fire({
    url: name === 'bare' ? bare.url : publisher.url,
    requests,
    connections,
    request: {
      method: 'POST',
      path: '/message/publish',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(MESSAGE),
    },
  });
  if (result.failed > 0) throw new Error(`${result.failed} requests have failed`);
  await settled(sql);
  const spent = processorTimeBetween(started, readProcessorTime(participants));
  return {
    name,
    ...summarize(result),
    processorUs: Object.fromEntries(
      Object.entries(spent).map(([program, seconds]) => [program, (seconds / requests) * 1e6]),
    ),
    walBytes: ((await readWalEnd(sql)) - walBefore) / requests,
    othersShare: othersShare(machine, readMachineTime()),
  };
}

function summarize({ startedAt, endedAt, completed, latenciesMs }: LoadResult) {
  return {
    perSecond: completed / ((endedAt - startedAt) / 1_000),
    p50Ms: percentile(latenciesMs, 50),
    p99Ms: percentile(latenciesMs, 99),
  };
}

/** Where Postgres's log ends, in bytes. */
async function readWalEnd(sql: postgres.Sql): Promise<number> {
  const [wal] = await sql<{ end: number }[]>`
    select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as end`;
  return wal?.end ?? 0;
}

/** Waits for the jobs that wait or run, which is cheap to ask where there are few: asking must not cost what is measured. */
async function settled(sql: postgres.Sql): Promise<void> {
  const check = async () => {
    const [row] = await sql`select from warren.jobs where state in ('available', 'running') limit 1`;
    return row === undefined ? true : undefined;
  };
  await waitUntil({ what: 'the messages', check, timeoutMs: STORED_TIMEOUT_MS, intervalMs: 200 });
}

/** Throws where a message is missing: nothing else here would matter then. */
async function assertStored(sql: postgres.Sql, published: number): Promise<void> {
  const [row] = await sql<{ stored: number }[]>`select count(*)::int as stored from messages.messages`;
  if (row?.stored !== published)
    throw new Error(`${published} messages were published, and ${row?.stored} are stored`);
}

/** Of one message and its job, with their indexes. */
async function readStoredBytes(sql: postgres.Sql): Promise<{ message: number; job: number }> {
  const [bytes] = await sql<{ message: number; job: number }[]>`
    select pg_total_relation_size('messages.messages')::float8 / count(*) as message,
      pg_total_relation_size('warren.jobs')::float8 / count(*) as job
    from messages.messages`;
  if (bytes === undefined) throw new Error('a size without an answer');
  return bytes;
}
