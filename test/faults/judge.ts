// Turns the books of a row into checks: the bars of "P0" in the fault matrix, the same for every row.

import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { findMiscounts } from '../support/miscounts.ts';
import { checkBooks, percentile } from './books/checker.ts';
import { readEffectBook } from './books/effect-book.ts';
import { readSubmitBook } from './books/submit-book.ts';
import type { Holdings } from './leaks.ts';
import { checkChannels, compareHoldings } from './leaks.ts';
import type { FaultStage } from './stage/fault-stage.ts';
import type { Aftermath, Row, Scene } from './stage/scene.ts';
import { round } from './stage/scene.ts';

const WORK_QUEUES = ['warren.critical', 'warren.default', 'warren.webhooks', 'warren.reports'];
const READY_WITHIN_MS = 10_000;
const SETTLE_TIMEOUT_MS = 20_000;

/** Drains, reads the books and notes every P0 check in the scene. `before`: what the processes held before the fault. */
export async function judge(row: Row, scene: Scene, before: ReadonlyMap<number, Holdings>): Promise<void> {
  const { stage } = scene;
  await checkReadiness(scene);
  const drainStartedAt = performance.now();
  scene.exactly('not drained within 180 s', 0, await stage.drain());
  scene.figure('drainSeconds', (performance.now() - drainStartedAt) / 1_000);
  const aftermath = await readBooks(scene);
  checkP0(row, scene, aftermath);
  await checkCounts(scene);
  await checkBroker(row, scene, aftermath);
  await checkLeaks(scene, before);
  checkSurvival(row, scene);
  await row.judge?.(scene, aftermath);
}

/** Within 10 s of healing; the rows heal and then return at once, or wait for their load. */
async function checkReadiness(scene: Scene): Promise<void> {
  const startedAt = performance.now();
  try {
    await eventually(
      async () => await Promise.all(scene.stage.members.map((member) => member.isReady())),
      (ready) => ready.every(Boolean),
      { timeoutMs: READY_WITHIN_MS * 3, everyMs: 100 },
    );
    scene.atMost('readyz 200 after healing, ms', READY_WITHIN_MS, performance.now() - startedAt);
  } catch {
    scene.check('readyz 200 after healing, ms', `<= ${READY_WITHIN_MS}`, 'never', false);
  }
}

async function readBooks({ stage, terminal }: Scene): Promise<Aftermath> {
  const runs = readEffectBook(stage.bookFolder);
  const books = {
    submits: readSubmitBook(join(stage.bookFolder, 'submits.jsonl')),
    runs,
    jobs: await stage.finalJobs(),
    acceptances: await stage.acceptances(),
    ends: stage.ends(),
  };
  return { figures: checkBooks(books, { terminal }), runs };
}

function checkP0(row: Row, scene: Scene, { figures, runs }: Aftermath): void {
  const none = (name: string, found: readonly string[]) => {
    scene.check(name, '= 0', describe(found), found.length === 0);
  };
  scene.figure('attempted', figures.attempted);
  scene.figure('acknowledged', figures.acknowledged);
  scene.figure('completed', figures.completed);
  scene.figure('recovered', figures.recovered);
  none('lost', figures.lost);
  none('ghost', figures.ghosts);
  none('dup_jobs', figures.duplicateJobs);
  none('after_success', figures.runsAfterSuccess);
  none('accepted other than once', figures.wronglyAccepted);
  none('burned', figures.burned);
  scene.figure('extraRuns', figures.extraRuns);
  if (!row.allowsExtraRuns) scene.exactly('extra_runs', 0, figures.extraRuns);
  const maxOverlaps = row.maxOverlaps ?? 0;
  scene.check(
    'overlap',
    `<= ${maxOverlaps}`,
    describe(figures.overlaps),
    figures.overlaps.length <= maxOverlaps,
  );
  const { healedAt } = scene;
  const ends = runs
    .flatMap(({ endedAt }) => endedAt ?? [])
    .filter((endedAt) => endedAt > (healedAt ?? Infinity));
  if (healedAt !== undefined && ends.length > 0)
    scene.figure(
      'firstCompletionAfterHealingMs',
      ends.reduce((first, end) => Math.min(first, end)) - healedAt,
    );
  const takeover = percentile(figures.takeoverMs, 0.99);
  if (takeover !== undefined) {
    scene.figure('takeovers', figures.takeoverMs.length);
    scene.figure('takeoverP50Ms', percentile(figures.takeoverMs, 0.5) ?? 0);
    scene.figure('takeoverP99Ms', takeover);
  }
}

/** In one snapshot, whatever goes on. */
async function checkCounts(scene: Scene): Promise<void> {
  const wrong = await scene.stage.sql(findMiscounts);
  scene.check('counts other than a full count', '= 0', describe(wrong), wrong.length === 0);
}

async function checkBroker(row: Row, scene: Scene, { figures }: Aftermath): Promise<void> {
  const { stage } = scene;
  const left = await eventually(
    async () => await leftovers(stage),
    ({ work, dead }) => work === 0 && dead === scene.expectedDead,
    { timeoutMs: SETTLE_TIMEOUT_MS, everyMs: 500 },
  ).catch(async () => await leftovers(stage));
  scene.exactly('leftovers in the work queues', 0, left.work);
  scene.exactly('dead letters', scene.expectedDead, left.dead);
  const amplification = stage.deliveries() / Math.max(1, figures.completed);
  scene.atMost('amplification', row.maxAmplification ?? 1.2, round(amplification));
}

/** Ready and unacknowledged messages, as the management API counts them. */
async function leftovers({ management }: FaultStage): Promise<{ work: number; dead: number }> {
  const queues = await management.queues();
  const count = (names: readonly string[]) =>
    queues.filter(({ name }) => names.includes(name)).reduce((sum, { messages }) => sum + (messages ?? 0), 0);
  return { work: count(WORK_QUEUES), dead: count(['warren.dead']) };
}

async function checkLeaks(scene: Scene, before: ReadonlyMap<number, Holdings>): Promise<void> {
  scene.checks.push(await checkChannels(scene.stage));
  const { check, gainedMb } = await compareHoldings(scene.stage, before);
  scene.checks.push(check);
  scene.figure('mostMemoryGainedMb', gainedMb);
}

function checkSurvival({ expectedLines }: Row, scene: Scene): void {
  const exits = scene.stage.members.flatMap((member) => member.unplannedExits());
  const lines = scene.stage.members
    .flatMap((member) => member.badLines())
    .filter((line) => expectedLines?.test(line) !== true);
  scene.check('unplanned exits', '= 0', describe(exits), exits.length === 0);
  scene.check('unhandled rejections and listener warnings', '= 0', describe(lines), lines.length === 0);
}

function describe(found: readonly string[]): string | number {
  if (found.length === 0) return 0;
  return `${found.length}: ${found.slice(0, 5).join(', ')}`;
}
