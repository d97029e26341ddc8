// Who answers `/api/test/:id` in this benchmark, and what each has promised when it answers.
import type { Place, Stage, Started } from '../stage/stage.ts';

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

/** The servers of all contenders, idle while it is not their turn. Warren's two lines are one process. */
export async function startServers(stage: Stage, place: Place): Promise<Map<string, Started>> {
  const env = settingsOf(place);
  const byFile = new Map<string, Started>();
  for (const { name, file } of contenders) {
    if (!byFile.has(file)) byFile.set(file, await stage.start({ name, file, env }));
  }
  return byFile;
}

export async function startWorker(stage: Stage, place: Place): Promise<Started> {
  return await stage.start({
    name: 'worker',
    file: 'src/worker/main.ts',
    portSetting: 'WORKER_HEALTH_PORT',
    readyPath: '/readyz',
    env: settingsOf(place),
  });
}

function settingsOf({ databaseUrl, amqpUrl }: Place): Record<string, string> {
  return { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl };
}

/** Throws where a contender answers something else than the API does, but for the job's id: it would be another benchmark. */
export async function assertSameAnswers(servers: ReadonlyMap<string, Started>): Promise<void> {
  const answers = await Promise.all(
    [...servers].map(async ([file, { url }]) => {
      const response = await fetch(`${url}/api/test/7`, { signal: AbortSignal.timeout(10_000) });
      const body = await response.text();
      return {
        file,
        answer: `${response.headers.get('content-type')} ${body.length} ${body.replace(/"jobId":"\d+"} *$/, '')}`,
      };
    }),
  );
  const expected = answers.find(({ file }) => file === 'src/api/main.ts')?.answer;
  for (const { file, answer } of answers) {
    if (answer !== expected) throw new Error(`${file} answers ${answer}, not ${expected}`);
  }
}
