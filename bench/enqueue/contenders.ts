// Who answers `/api/test/:id` in this benchmark, and what each has promised when it answers.
import type { Place, Stage, Started } from '../stage/stage.ts';
import type { Warren } from '../stage/warren.ts';
import type { Settlement } from './settlement.ts';

export interface Contender {
  name: string;
  title: string;
  /** What is so when it answers, and by when the rest is. */
  promise: string;
  /** Whether each request makes a job. */
  enqueues: boolean;
  /** Whether it publishes behind the answer, so that the clock must wait for the broker. */
  publishesLater: boolean;
  /** Whether a worker takes the jobs meanwhile. */
  worker: boolean;
  file: string;
}

/** What a contender plays on: its database and vhost, and who looks into them. */
export interface Ground {
  warren: Warren;
  place: Place;
  settlement: Settlement;
}

/** `before` is there where Warren before takes part: it has a ground to itself. */
export interface Grounds {
  own: Ground;
  before: Ground | undefined;
}

export interface Ready {
  contender: Contender;
  ground: Ground;
  server: Started;
}

const none = { enqueues: false, publishesLater: false, worker: false };
const warren = { enqueues: true, publishesLater: true, file: 'src/api/main.ts' };

export const contenders = [
  {
    ...none,
    name: 'bare',
    title: 'bare Hono route',
    promise: 'nothing: makes the same answer from an order in memory',
    file: 'bench/enqueue/servers/bare.ts',
  },
  {
    ...none,
    name: 'lookup',
    title: 'lookup alone',
    promise: 'nothing: reads one row',
    file: 'bench/enqueue/servers/lookup.ts',
  },
  {
    ...warren,
    name: 'warren',
    title: 'Warren',
    promise:
      'answers when the row is committed (fsync); the message is confirmed by a quorum queue behind the answer, and the clock stops then',
    worker: false,
  },
  {
    ...warren,
    name: 'warren-before',
    title: 'Warren before',
    promise: 'the same',
    worker: false,
  },
  {
    ...warren,
    name: 'warren-worker',
    title: 'Warren, one worker running',
    promise: 'the same, while a worker runs the jobs',
    worker: true,
  },
  {
    name: 'naive',
    title: 'naive way',
    promise: 'answers when the row is committed (fsync) and the message confirmed by the quorum queue',
    enqueues: true,
    publishesLater: false,
    worker: false,
    file: 'bench/enqueue/servers/naive.ts',
  },
] as const satisfies readonly Contender[];

export type ContenderName = (typeof contenders)[number]['name'];

/** All contenders that take part with their servers, idle while it is not their turn. A program that two of them name is one process. */
export async function startServers(stage: Stage, { own, before }: Grounds): Promise<Ready[]> {
  const started = new Map<string, Started>();
  const ready: Ready[] = [];
  for (const contender of contenders) {
    const { name, file } = contender;
    const ground = name === 'warren-before' ? before : own;
    if (ground === undefined) continue;
    const { checkout } = ground.warren;
    const key = `${checkout}/${file}`;
    const server =
      started.get(key) ?? (await stage.start({ name, file, checkout, env: settingsOf(ground.place) }));
    started.set(key, server);
    ready.push({ contender, ground, server });
  }
  return ready;
}

export async function startWorker(stage: Stage, { warren: { checkout }, place }: Ground): Promise<Started> {
  return await stage.start({
    name: 'worker',
    file: 'src/worker/main.ts',
    checkout,
    portSetting: 'WORKER_HEALTH_PORT',
    env: settingsOf(place),
  });
}

function settingsOf({ databaseUrl, amqpUrl }: Place): Record<string, string> {
  return { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl };
}

/** Throws where a contender answers something else than the API does, but for the job's id: it would be another benchmark. */
export async function assertSameAnswers(ready: readonly Ready[]): Promise<void> {
  const answers = await Promise.all(
    ready.map(async ({ contender: { name }, server: { url } }) => {
      const response = await fetch(`${url}/api/test/7`, { signal: AbortSignal.timeout(10_000) });
      const body = await response.text();
      return {
        name,
        answer: `${response.headers.get('content-type')} ${body.length} ${body.replace(/"jobId":"\d+"} *$/, '')}`,
      };
    }),
  );
  const expected = answers.find(({ name }) => name === 'warren')?.answer;
  for (const { name, answer } of answers) {
    if (answer !== expected) throw new Error(`${name} answers ${answer}, not ${expected}`);
  }
}
