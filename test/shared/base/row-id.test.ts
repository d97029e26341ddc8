import { expect, test } from 'vitest';
import { parseId } from '../../../src/shared/base/row-id.ts';

test.each(['1', '10', '9007199254740993', '9223372036854775807'])('%s is an id', (text) => {
  expect(parseId(text)).toBe(text);
});

test.each([
  '',
  '0',
  '-1',
  '+1',
  '01',
  '1e3',
  '0x1',
  '1.0',
  ' 1',
  '1\n',
  '9223372036854775808',
  '1'.repeat(30),
  '١',
])('%j is no id', (text) => {
  expect(parseId(text)).toBeNull();
});
