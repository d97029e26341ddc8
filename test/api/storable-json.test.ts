import { expect, test } from 'vitest';
import { findUnstorable, isStorableText } from '../../src/api/storable-json.ts';

const find = (value: unknown, maxDepth = 64) => findUnstorable(value, { maxDepth, maxIssues: 20 });

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

test('what jsonb keeps exactly is let through', () => {
  const value = {
    text: 'ümläut 😀 \u0001 \ufffd',
    numbers: [0, -1.5, 9_007_199_254_740_991, -9_007_199_254_740_991, 1e-7, 0.1],
    empty: [{}, [], '', null, true],
  };
  expect(find(value)).toEqual([]);
  expect(find('text')).toEqual([]);
  expect(find(null)).toEqual([]);
});

test('U+0000 and lone surrogates are found in texts and in names, with pointers', () => {
  expect(find({ args: { list: ['ok', 'a\u0000b'] } })).toEqual([
    { detail: 'the text contains U+0000', pointer: '/args/list/1' },
  ]);
  expect(find({ a: '\ud800' })[0]).toMatchObject({
    pointer: '/a',
    detail: expect.stringContaining('surrogate'),
  });
  expect(find({ 'x/y~z': '\udfff' })[0]?.pointer).toBe('/x~1y~0z');
  const [issue] = find({ 'a\u0000': 1 });
  expect(issue).toEqual({ detail: 'the name of a member contains U+0000', pointer: '/a\ufffd' });
  expect(find('\u0000')[0]?.pointer).toBe('');
});

test('integers that a double does not hold, and numbers beyond it, are found', () => {
  expect(find(JSON.parse('{"n":9007199254740993}'))[0]).toMatchObject({ pointer: '/n' });
  expect(find(JSON.parse('[-9007199254740992]'))[0]?.pointer).toBe('/0');
  expect(find(JSON.parse('[1e400]'))[0]?.detail).toContain('too large');
});

test('nesting is counted in containers', () => {
  expect(find(nested(64))).toEqual([]);
  expect(find(nested(65))).toHaveLength(1);
  expect(find(nested(65))[0]?.detail).toBe('is nested too deep');
  expect(find([], 1)).toEqual([]);
  expect(find([[]], 1)).toEqual([{ detail: 'is nested too deep', pointer: '/0' }]);
});

test('no depth and no size breaks it', () => {
  expect(find(nested(100_000))).toHaveLength(1);
  expect(find(Array(1_000).fill('\u0000'))).toHaveLength(20);
});

test('a name like __proto__ is a name', () => {
  expect(find(JSON.parse('{"__proto__":{"polluted":"\\u0000"}}'))[0]?.pointer).toBe('/__proto__/polluted');
});

test('texts for Postgres have no U+0000', () => {
  expect(isStorableText('process-order')).toBe(true);
  expect(isStorableText('a\u0000')).toBe(false);
});
