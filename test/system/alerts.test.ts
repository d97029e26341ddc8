// Every alert, on the real programs: its cause is provoked, a Prometheus with the shipped rules and the documented configuration sees the alert fire, the
// cause is taken away, and the alert clears. Minutes of the rules are seconds here. Needs Debian's package prometheus.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { findPromtoolObstacle } from '../support/promtool.ts';
import type { Cause } from './alerts/cause.ts';
import { deathCauses, notProvoked, serverCauses } from './alerts/outage-causes.ts';
import { AlertStage } from './alerts/stage.ts';
import { rules } from './alerts/watch.ts';
import { insertGoneJob, workCauses } from './alerts/work-causes.ts';

/** Of a phase all causes are there at once; one phase after the other. */
const phases: [name: string, causes: readonly Cause[]][] = [
  ['with jobs and single workers', workCauses],
  ['with the servers', serverCauses],
  ['with everything', deathCauses],
];
/** Fire while other work takes the processor: a scrape may take a second and a half here, and the API counts as gone after two seconds. */
const BUSY = ['WarrenEventLoopBlocked', 'WarrenNoApi'];
/** Is raised by the job that waits from the start (`insertGoneJob`). */
const FROM_THE_START = 'WarrenJobsWait';

const obstacle = await findPromtoolObstacle();
let stage: AlertStage;

describe.skipIf(obstacle !== undefined)(`alerts${obstacle === undefined ? '' : `: ${obstacle}`}`, () => {
  beforeAll(async () => {
    stage = await AlertStage.open();
    await insertGoneJob(stage);
    await stage.startAll();
  });

  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });

  test('the causes raise every alert there is, or it is said why not', () => {
    const raised = phases.flatMap(([, causes]) => causes.flatMap(({ raises }) => Object.keys(raises(stage))));
    const named = new Set([...raised, ...Object.keys(notProvoked)]);
    expect([...named].sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  test('a fleet that is well raises none', async () => {
    await Promise.all(stage.running.map((name) => stage.scraped(name)));
    await untilWell();
  });

  test.each(phases)(
    'what goes wrong %s raises its alerts and no other; undone, they clear',
    async (_, causes) => {
      await untilWell(); // whatever became of the phase before
      const beganAt = performance.now();
      const expected = new Set(causes.flatMap(({ raises }) => Object.keys(raises(stage))));
      const others = async () => {
        const fired = await stage.watch.firedWithin(Math.floor((performance.now() - beganAt) / 1_000));
        return fired.filter((alert) => !expected.has(alert) && !BUSY.includes(alert));
      };
      const endings = await Promise.allSettled(causes.map((cause) => raiseAndClear(cause, others)));
      expect(endings.filter(({ status }) => status === 'rejected')).toEqual([]);
    },
  );
});

async function untilWell(): Promise<void> {
  await eventually(
    () => stage.watch.active(),
    (alerts) => alerts.every((alert) => [...BUSY, FROM_THE_START].includes(alert)),
  );
}

/** Rejects with what did not happen. `others`: alerts that have fired and that nothing has provoked. */
async function raiseAndClear(
  { what, raises, provoke }: Cause,
  others: () => Promise<string[]>,
): Promise<void> {
  const alerts = Object.entries(raises(stage));
  try {
    const undo = await provoke(stage);
    try {
      await Promise.all(alerts.map(([alert, labels]) => stage.watch.firing(alert, labels)));
      expect(await others()).toEqual([]); // before programs start again, which may take longer than the shortened times
    } finally {
      await undo();
    }
    await Promise.all(alerts.map(([alert, labels]) => stage.watch.cleared(alert, labels)));
  } catch (error) {
    throw new Error(`${what}: ${error}`, { cause: error });
  }
}
