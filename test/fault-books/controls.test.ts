import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { controls } from '../faults/controls.ts';

const mutations = controls.map(({ mutation }) => mutation);

test.for(mutations)('the control "$name" finds the guard that it switches off', ({ file, changes }) => {
  const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
  for (const { from } of changes) expect(source.split(from), from).toHaveLength(2);
});

test('no two controls write the same verdict', () => {
  const names = mutations.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
