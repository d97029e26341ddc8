// Rows 45 and 47: workers are killed and both servers restarted while jobs wait for the places of limits and of groups. Who ran when is told by the
// effect book alone: never more at once than there are places, and afterwards all places are there again.
import type { Span } from '../books/at-once.ts';
import { mostAtOnce, spanOf } from '../books/at-once.ts';
import { percentile } from '../books/checker.ts';
import type { Run } from '../books/effect-book.ts';
import { EACH_PLACES, GROUP_PLACES, WHOLE_PLACES } from '../preload/job-types.ts';
import type { Lane } from '../stage/kills-and-restart.ts';
import { killUnderLoad } from '../stage/kills-and-restart.ts';
import type { Submission } from '../stage/load.ts';
import type { Row, Scene } from '../stage/scene.ts';

const EACH_KEYS = ['a', 'b', 'c'];
/** Of the jobs that come when all is healed, so that all places are taken at once. */
const AFTERWARDS_MS = 1_000;

const limits: Row = {
  number: 45,
  title: 'Workers are killed twenty times and both servers restarted while jobs wait for a limit',
  allowsExtraRuns: true,
  maxAmplification: 4,
  play: async (scene) => {
    const lane = (...names: string[]): Lane => ({
      paceMs: 200,
      next: () => ({ ms: 150, queue: 'default', limits: names }),
    });
    await killUnderLoad(scene, [
      lane('whole'),
      lane('whole'),
      ...EACH_KEYS.flatMap((key) => [lane(`each:${key}`), lane('whole', `each:${key}`)]),
    ]);
    await takeAllPlaces(scene);
  },
  judge: (scene, { runs }) => {
    const places = new Map([
      ['whole', WHOLE_PLACES],
      ...EACH_KEYS.map((key) => [`each:${key}`, EACH_PLACES] as const),
    ]);
    for (const [name, count] of places) {
      const has = ({ limits: names = [] }: Submission) => names.includes(name);
      scene.atMost(`limit ${name}: most at once`, count, mostAtOnce(spansOf(scene, runs, has)));
      const after = runs.filter(({ startedAt }) => startedAt >= (scene.healedAt ?? Infinity));
      scene.exactly(`limit ${name}: most at once afterwards`, count, mostAtOnce(spansOf(scene, after, has)));
    }
  },
};

/** For each limit alone, three times as many jobs as it has places, when nothing else is left that takes any. */
async function takeAllPlaces(scene: Scene): Promise<void> {
  await scene.stage.drain();
  scene.healed();
  const wave = (name: string, places: number) =>
    scene.load.burst(3 * places, { ms: AFTERWARDS_MS, queue: 'default', limits: [name] });
  await Promise.all([
    wave('whole', WHOLE_PLACES),
    ...EACH_KEYS.map((key) => wave(`each:${key}`, EACH_PLACES)),
  ]);
}

const LARGE = 'large';
const SMALL = ['small-1', 'small-2', 'small-3', 'small-4'];
/** Jobs of the large group that start while one of a small group waits: those that are available already, 16, and those that were started meanwhile. */
const MAX_OVERTAKING = 32;
/** Where a worker is killed that has the job, or the servers are away. */
const MAX_WAIT_MS = 30_000;

const groups: Row = {
  number: 47,
  title: 'Workers are killed twenty times and both servers restarted while a large group and small ones wait',
  allowsExtraRuns: true,
  maxAmplification: 4,
  // few slots, so that the large group waits however slowly it is submitted
  stage: { workerQueues: 'critical:4:1,default:10:20,webhooks:5:1,reports:1:1' },
  play: async (scene) => {
    const lanes = (queue: string, ms: number): Lane[] => [
      ...Array.from({ length: 4 }, () => ({ paceMs: 20, next: () => ({ ms, queue, group: LARGE }) })),
      ...SMALL.map((group) => ({ paceMs: 1_000, isUnbounded: true, next: () => ({ ms, queue, group }) })),
    ];
    await killUnderLoad(scene, [...lanes('critical', 1_000), ...lanes('webhooks', 150)]);
  },
  judge: (scene, { runs }) => {
    for (const group of [LARGE, ...SMALL]) {
      const most = mostAtOnce(
        spansOf(scene, runs, (given) => given.queue === 'webhooks' && given.group === group),
      );
      scene.atMost(`group ${group}: most at once`, GROUP_PLACES, most);
    }
    judgeTurns(scene, runs);
  },
};

/** By the queue whose groups may have any number of jobs at once: there the turns alone keep the large group from taking every slot. */
function judgeTurns(scene: Scene, runs: readonly Run[]): void {
  const first = new Map<string, number>();
  for (const { key, startedAt } of runs) first.set(key, Math.min(startedAt, first.get(key) ?? Infinity));
  const waits = scene.stage.submits.lines.flatMap(({ key, phase, at }) => {
    const { queue, group } = scene.load.submissions.get(key) ?? {};
    const startedAt = first.get(key);
    if (phase !== 'ok' || queue !== 'critical' || group === undefined || startedAt === undefined) return [];
    return [{ group, from: at, to: Math.max(at, startedAt) }];
  });
  const large = waits.filter(({ group }) => group === LARGE);
  const small = waits.filter(({ group }) => group !== LARGE);
  const overtaking = small.map(({ from, to }) => large.filter((job) => job.to > from && job.to < to).length);
  const msOf = (spans: readonly Span[]) => spans.map(({ from, to }) => to - from);
  scene.prove(
    'the middle wait in the large group, ms',
    Math.round(percentile(msOf(large), 0.5) ?? 0),
    (percentile(msOf(large), 0.5) ?? 0) > 1_000,
  );
  scene.figure('smallGroupWaitP50Ms', percentile(msOf(small), 0.5) ?? 0);
  scene.atMost(
    'jobs of the large group that start before one of a small group, in the middle',
    MAX_OVERTAKING,
    percentile(overtaking, 0.5),
  );
  scene.atMost('wait in a small group, at most, ms', MAX_WAIT_MS, percentile(msOf(small), 1));
}

function spansOf(scene: Scene, runs: readonly Run[], isOne: (submission: Submission) => boolean): Span[] {
  const ends = scene.stage.ends();
  return runs
    .filter(({ key }) => isOne(scene.load.submissions.get(key) ?? {}))
    .map((run) => spanOf(run, ends));
}

export const placeRows: readonly Row[] = [limits, groups];
