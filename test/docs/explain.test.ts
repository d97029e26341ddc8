// docs/explain.md: every reason that there is has a row, and no other.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { reasonNames } from '../../src/queue/explain/reasons.ts';

test('each reason has a row', () => {
  const page = readFileSync(new URL('../../docs/explain.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, reason]) => reason);
  expect(rows).toEqual(reasonNames);
});
