// A verdict must not flatter: no proof of the fault is void, one missed bar is a failure, and a page that shows it says so.
import { expect, test } from 'vitest';
import { renderReport } from '../faults/report.ts';
import type { Verdict } from '../faults/verdict.ts';
import { decide } from '../faults/verdict.ts';

const proof = { name: 'it was killed', bar: 'the fault took effect', seen: 1, ok: true };
const check = { name: 'lost', bar: '= 0', seen: 0, ok: true };

test.each([
  ['pass', { proofs: [proof], checks: [check] }],
  ['void', { proofs: [], checks: [check] }],
  ['void', { proofs: [proof, { ...proof, ok: false }], checks: [check] }],
  ['fail', { proofs: [proof], checks: [check, { ...check, ok: false }] }],
  ['fail', { proofs: [proof], checks: [check], error: 'it broke off' }],
])('%s', (verdict, notes) => {
  expect(decide(notes)).toBe(verdict);
});

test('the page names what was missed', () => {
  const verdict: Verdict = {
    row: 1,
    title: 'A worker is killed',
    verdict: 'fail',
    seed: 1,
    commit: 'abc',
    isSourceChanged: false,
    scale: 1,
    at: '2026-01-01T00:00:00.000Z',
    seconds: 1,
    proofs: [proof],
    checks: [{ ...check, seen: '2: k1, k2', ok: false }],
    figures: { attempted: 600 },
  };
  const page = renderReport([verdict], [{ ...verdict, control: 'no-fence', verdict: 'pass' }]);
  expect(page).toContain('| 1 | A worker is killed | **fail** | 600 | 2 |');
  expect(page).toContain('lost: 2: k1, k2 (bar = 0)');
  expect(page).toContain('| no-fence | 1 | **pass** |');
});
