// What a fleet costs that has nothing to do: statements per second, and the processor time of everybody.
import { setTimeout as delay } from 'node:timers/promises';
import type { Report } from '../../report/report.ts';
import { processorTimeBetween, readProcessorTime, serverParticipants } from '../../stage/processor-time.ts';
import type { Started } from '../../stage/stage.ts';
import { Backlog } from '../backlog.ts';
import { readDatabaseWork } from '../database-work.ts';
import type { PartOptions } from '../part.ts';
import { scaled } from '../part.ts';
import { startApi, startWorkers } from '../programs.ts';

const WORKERS = 8;
const SETTLING_MS = 12_000;
const SECONDS = 30;

export async function measureIdle(options: PartOptions): Promise<Report> {
  const place = await options.stage.createPlace('bench_idle');
  await using backlog = await Backlog.open(place);
  const workers = await startWorkers(options.stage, { place, count: WORKERS });
  const api = await startApi(options.stage, place);
  const fleet = Object.fromEntries([...workers, api].map(({ process }) => [process.name, process.pid]));
  await delay(SETTLING_MS); // sessions report their first statements up to ten seconds late
  const seconds = scaled(SECONDS, options, 5);
  await scrape([...workers, api]); // some gauges cost something from their first scrape on
  const [statements, processors] = await Promise.all([
    countStatements(backlog, seconds),
    countProcessorTime({ ...fleet, ...serverParticipants(options.stage) }, seconds),
  ]);
  await options.stage.stop([...workers, api]);
  const ofWorkers = workers.map(({ process }) => processors[process.name] ?? 0);
  const ofApi = processors[api.process.name] ?? 0;
  const perWorker = ofWorkers.reduce((sum, share) => sum + share, 0) / WORKERS;
  options.log(
    `idle: ${statements.toFixed(1)} statements/s, a worker ${millicores(perWorker)}, the API ${millicores(ofApi)}`,
  );
  return {
    name: 'work-idle',
    title: `${WORKERS} idle workers and an idle API`,
    command: 'npm run bench:work -- --part idle',
    facts: options.facts,
    notes: [
      `${WORKERS} workers and an API with default settings and empty queues, ${seconds} s, the leader's chores included; each was scraped once before.`,
      'A millicore (m) is a thousandth of a processor, as Kubernetes counts: a millisecond per second.',
    ],
    bars: [
      {
        what: `Postgres statements per second, ${WORKERS} idle workers together`,
        demand: 'at most',
        limit: 8,
        measured: statements,
        digits: 1,
      },
      {
        what: 'Processor of an idle worker, the mean of all, m',
        demand: 'at most',
        limit: 5,
        measured: perWorker * 1_000,
        digits: 1,
      },
      {
        what: 'Processor of an idle API, m',
        demand: 'at most',
        limit: 3,
        measured: ofApi * 1_000,
        digits: 1,
      },
    ],
    sections: [
      {
        title: 'Processor time at rest',
        table: {
          columns: [{ title: '' }, { title: 'm', digits: 1 }],
          rows: [
            ['a worker, mean', perWorker * 1_000],
            ['the busiest worker (the leader)', Math.max(...ofWorkers) * 1_000],
            ['the API', ofApi * 1_000],
            ['RabbitMQ', (processors['RabbitMQ'] ?? 0) * 1_000],
            ['Postgres', (processors['Postgres'] ?? 0) * 1_000],
          ],
        },
      },
    ],
    data: { statementsPerSecond: statements, processorShare: processors },
  };
}

async function scrape(programs: readonly Started[]): Promise<void> {
  for (const { url } of programs) await (await fetch(`${url}/metrics`)).text();
}

function millicores(share: number): string {
  return `${(share * 1_000).toFixed(1)} m`;
}

/** Per second. The two readings are statements themselves: the first is not in it, the second is taken off. */
async function countStatements(backlog: Backlog, seconds: number): Promise<number> {
  const before = await readDatabaseWork(backlog.sql);
  await delay(seconds * 1_000);
  const after = await readDatabaseWork(backlog.sql);
  return Math.max(0, after.statements - before.statements - 1) / seconds;
}

/** Seconds per second. */
async function countProcessorTime(
  participants: Record<string, number>,
  seconds: number,
): Promise<Record<string, number>> {
  const before = readProcessorTime(participants);
  await delay(seconds * 1_000);
  const spent = processorTimeBetween(before, readProcessorTime(participants));
  return Object.fromEntries(Object.entries(spent).map(([name, used]) => [name, used / seconds]));
}
