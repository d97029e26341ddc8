// Rows 9 and 10: jobs that take their process down, and handlers that behave as no handler should.
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import type { Member } from '../stage/member.ts';
import type { Row, Scene } from '../stage/scene.ts';

const POISONS = ['exit', 'abort', 'heap'];
const MAX_CRASHES = 3;
/** The default of a job type. */
const MAX_ATTEMPTS = 10;

interface Ending {
  key: string;
  how: string;
  state: string;
  attempt: number;
  maxAttempts: number;
  errors: { message: string }[];
  errorBytes: number;
}

async function endings(scene: Scene, type: string): Promise<Ending[]> {
  return await scene.stage.sql(
    async (sql) =>
      await sql<Ending[]>`
      select args->>'key' as key, args->>'how' as how, state, attempt, max_attempts as "maxAttempts", errors,
        (select coalesce(max(octet_length(error->>'message')), 0) from jsonb_array_elements(errors) as error)::int as "errorBytes"
      from warren.jobs where type = ${type} order by id`,
  );
}

/** Starts a worker again whenever it goes down, as Kubernetes does. Returns how often it had to, when told to stop. */
export function supervise(member: Member, signal: AbortSignal): Promise<number> {
  const watch = async () => {
    let restarts = 0;
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    while (!signal.aborted) {
      member.expectEnd();
      await Promise.race([member.life.program.exited, stopped]);
      if (signal.aborted) break;
      restarts += 1;
      await member.start();
    }
    member.life.isEndPlanned = false;
    return restarts;
  };
  return watch();
}

const poison: Row = {
  number: 9,
  title: 'Jobs that take their process down',
  allowsExtraRuns: true,
  // Each of six crashes gives back up to a hundred deliveries of 503; one comes again where its owner's lock was not free yet: 1 + 2 * 6 * 100 / 503.
  maxAmplification: 3.4,
  stage: { workerEnv: { FAULT_NODE_OPTIONS: '--max-old-space-size=96' } },
  expectedLines: /heap|Aborted|abort/i,
  play: async (scene) => {
    const { load, stage } = scene;
    const stopping = new AbortController();
    const supervised = stage.workers.map((worker) => supervise(worker, stopping.signal));
    const good = load.burst(scene.size(500), { ms: 200 });
    for (const how of POISONS) {
      scene.terminal.add(load.nextKey);
      await load.submit({ type: 'fault-poison', how, queue: 'default' });
      await delay(500);
    }
    await good;
    const ended = async () =>
      (await endings(scene, 'fault-poison')).filter(({ state }) => state === 'discarded').length;
    await eventually(ended, (count) => count === POISONS.length, { timeoutMs: 90_000, everyMs: 250 }).catch(
      () => {},
    );
    await scene.stage.drain(30_000);
    stopping.abort();
    const restarts = (await Promise.all(supervised)).reduce((sum, count) => sum + count, 0);
    scene.figure('worker restarts', restarts);
    scene.atMost('worker restarts', MAX_CRASHES * POISONS.length, restarts);
    scene.healed();
  },
  judge: async (scene) => {
    const jobs = await endings(scene, 'fault-poison');
    const crashes = jobs.map(
      ({ errors }) => errors.filter(({ message }) => message.includes('worker_crashed')).length,
    );
    scene.prove(
      'crashes that the poison jobs have in their history',
      crashes.join(', '),
      crashes.some((count) => count > 0),
    );
    scene.exactly(
      'poison jobs discarded',
      POISONS.length,
      jobs.filter(({ state }) => state === 'discarded').length,
    );
    for (const [index, { how }] of jobs.entries())
      scene.exactly(`crashes charged to "${how}"`, MAX_CRASHES, crashes[index] ?? 0);
    const innocents = await endings(scene, 'fault-work');
    scene.exactly(
      'innocents not completed',
      0,
      innocents.filter(({ state }) => state !== 'completed').length,
    );
    const harmed = innocents.find(({ state }) => state !== 'completed');
    if (harmed !== undefined)
      scene.figure('an innocent that was not completed', JSON.stringify(harmed).slice(0, 600));
    const fewest = Math.min(...innocents.map(({ attempt, maxAttempts }) => maxAttempts - attempt));
    scene.exactly('attempts that the unluckiest innocent has left', MAX_ATTEMPTS - 1, fewest);
  },
};

const MISBEHAVIOURS = [
  'throw-undefined',
  'throw-string',
  'throw-circular',
  'throw-huge',
  'never',
  'reject-after-resolve',
  'detached-rejection',
];
const SUCCEEDS = ['reject-after-resolve', 'detached-rejection'];
const MAX_ERROR_BYTES = 8_192;

const misbehaving: Row = {
  number: 10,
  title: 'Handlers that misbehave',
  allowsExtraRuns: true,
  expectedLines: /nobody waits for this one/,
  play: async (scene) => {
    const { load } = scene;
    const good = load.burst(scene.size(500), { ms: 50 });
    for (const how of MISBEHAVIOURS) {
      if (!SUCCEEDS.includes(how)) scene.terminal.add(load.nextKey);
      await load.submit({ type: 'fault-misbehave', how, queue: 'default' });
    }
    await good;
    scene.healed();
  },
  judge: async (scene, { runs }) => {
    const jobs = await endings(scene, 'fault-misbehave');
    const started = new Set(runs.map(({ key }) => key));
    scene.prove(
      'misbehaving jobs that ran',
      jobs.length,
      jobs.every(({ key }) => started.has(key)),
    );
    for (const { how, state, attempt } of jobs) {
      const wanted = SUCCEEDS.includes(how) ? 'completed after 1' : 'discarded after 2';
      scene.exactly(`"${how}"`, wanted, `${state} after ${attempt}`);
    }
    const largest = Math.max(...jobs.map(({ errorBytes }) => errorBytes));
    scene.atMost('largest error that is stored, bytes', MAX_ERROR_BYTES, largest);
    const never = jobs.find(({ how }) => how === 'never');
    scene.check(
      'reason of the one that never ends',
      'timeout',
      never?.errors.at(-1)?.message ?? 'none',
      never?.errors.at(-1)?.message.startsWith('timeout') === true,
    );
    const lines = scene.stage.workers.flatMap(({ life }) =>
      life.program.logs.filter((line) => JSON.stringify(line).includes('nobody waits for this one')),
    );
    scene.exactly('log lines of the detached rejection', 1, lines.length);
  },
};

export const handlerRows: readonly Row[] = [poison, misbehaving];
