// The judge of the soak: it must see each way in which a job can go wrong.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fittedGrowth } from '../../../bench/report/statistics.ts';
import { Ledger } from '../../../bench/soak/ledger.ts';
import { LedgerWriter } from '../../../bench/soak/ledger-writer.ts';

test('a job is lost that has no end, wrongly ended where its type may not end so, undone where no handler has done it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'warren-soak-'));
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const writer = new LedgerWriter(folder);
  const ledger = new Ledger();
  ledger.acknowledge(['1', '2', '3', '4', '5', '2000000']);
  for (const id of ['1', '2', '7', '2000000']) writer.done(id);
  writer.archived([
    { id: '1', type: 'soak-plain', state: 'completed' },
    { id: '3', type: 'soak-plain', state: 'completed' }, // nobody has done it
    { id: '4', type: 'soak-plain', state: 'discarded' }, // it never fails
    { id: '5', type: 'soak-hopeless', state: 'discarded' },
  ]);
  writer.archived([{ id: '1', type: 'soak-plain', state: 'completed' }]); // the deletion after the first time has failed
  await writeFile(join(folder, 'archived-torn'), '2000000 soak-plain completed\n2 soak-pl');
  await ledger.read(folder);
  expect(ledger.judge()).toEqual({
    acknowledged: 6,
    ended: 5,
    byState: { completed: 3, discarded: 2 },
    lost: ['2'],
    wronglyEnded: ['4 soak-plain discarded'],
    undone: ['3'],
    unended: ['7'],
  });
});

test('growth is that of the fitted line: noise around a level is none, a steady rise is all of it', () => {
  const points = (of: (x: number) => number) => Array.from({ length: 101 }, (_, x) => ({ x, y: of(x) }));
  expect(fittedGrowth(points(() => 7))).toBe(0);
  expect(Math.abs(fittedGrowth(points((x) => 100 + (x % 2 === 0 ? 20 : -20))))).toBeLessThan(0.01);
  expect(fittedGrowth(points((x) => 100 + x))).toBeCloseTo(100 / 150);
  expect(fittedGrowth(points((x) => 100 - x))).toBeCloseTo(-100 / 50);
  expect(fittedGrowth([])).toBe(0);
});
