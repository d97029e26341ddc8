// Positions that clients bring back, whatever stands in them.
import { expect, test } from 'vitest';
import { readPosition, writePosition } from '../../../src/queue/events/position.ts';
import { InvalidInput } from '../../../src/shared/base/errors.ts';

test.each(['1_5:5:', '1_5:9:5,7', '1_5:9:5,5,8', '1_5:5:_5:9:7_12'])(
  '%s is read as it was written',
  (text) => {
    expect(writePosition(readPosition(text))).toBe(text);
  },
);

test.each([
  '',
  '1',
  '1_5:9:5_7:7:',
  '1_0:5:',
  '1_5:3:',
  '1_5:9:4',
  '1_5:9:9',
  '1_5:9:7,6',
  '1_5:5:_5:3:_0',
  '1_5:5:_0:0:_0',
])('%j, which Postgres would not take for snapshots, is refused', (text) => {
  expect(() => readPosition(text)).toThrow(InvalidInput);
});
