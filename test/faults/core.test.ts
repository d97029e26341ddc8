// The fast core of the fault matrix, as part of `npm test`: the same rows and bars as `npm run faults`, less load and shorter outages. Nothing
// is written beside the run's own folder. One row after another on one pair of servers; skipped where those cannot be had.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { playRow } from './play.ts';
import { rows } from './rows.ts';
import type { Check } from './stage/scene.ts';
import type { FaultServers } from './stage/servers.ts';
import { findServerObstacle, startFaultServers } from './stage/servers.ts';
import type { Source } from './stage/source.ts';
import { copySource } from './stage/source.ts';
import type { Verdict } from './verdict.ts';
import { CORE_SCALE } from './verdict.ts';

const obstacle = await findServerObstacle();
const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const core = rows.filter(({ isCore }) => isCore);

describe(`fault seed ${seed}`, () => {
  let servers: FaultServers;
  let source: Source;

  beforeAll(async () => {
    if (obstacle !== undefined) {
      process.stderr.write(`the fast core is skipped: ${obstacle}\n`);
      return;
    }
    servers = await startFaultServers((line) => process.stderr.write(`${line}\n`));
    source = copySource({ isCommitted: false });
  });

  afterAll(async () => {
    await servers?.stop();
  });

  test.for(core)('nothing is lost and nothing runs twice: $title (row $number)', async (row, { skip }) => {
    if (obstacle !== undefined) skip(obstacle);
    const verdict = await playRow({ row, servers, seed, scale: CORE_SCALE, source });
    const late = verdict.verdict === 'fail' ? missed(verdict).filter(isOfTime) : [];
    for (const { name, bar, seen } of late)
      process.stderr.write(`row ${row.number} was late: ${name}: ${seen} (bar ${bar})\n`);
    expect(verdict.error).toBeUndefined();
    expect(missed(verdict).filter((check) => !late.includes(check))).toEqual([]);
  });
});

function missed({ proofs, checks }: Verdict): Check[] {
  return [...proofs, ...checks].filter(({ ok }) => !ok);
}

/** Whoever else uses the machine makes it late. Bars of time are told here; they are for `npm run faults`, on a quiet machine. */
function isOfTime({ name }: Check): boolean {
  return /, (ms|seconds)$|^answers later than /.test(name);
}
