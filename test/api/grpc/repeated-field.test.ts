import { expect, test } from 'vitest';
import { splitRepeatedField } from '../../../src/api/grpc/repeated-field.ts';
import { InvalidInput } from '../../../src/shared/base/errors.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

test('the elements are found between fields of every kind, and no more than allowed', () => {
  const message = bytes(
    ...[0x0a, 2, 7, 7], // field 1, an element of two bytes
    ...[0x10, 0x96, 0x01], // field 2, a varint
    ...[0x19, 1, 2, 3, 4, 5, 6, 7, 8], // field 3, eight bytes
    ...[0x0a, 0], // an empty element
    ...[0x25, 1, 2, 3, 4], // field 4, four bytes
    ...[0x2a, 1, 0x0a], // field 5, which holds what looks like an element
  );
  expect(splitRepeatedField(message, 2)).toEqual([bytes(7, 7), bytes()]);
  expect(splitRepeatedField(message, 1)).toBeUndefined();
  expect(splitRepeatedField(bytes(), 1)).toEqual([]);
  expect(
    splitRepeatedField(
      new Uint8Array(8_388_608).fill(0).map((_, at) => (at % 2 === 0 ? 0x0a : 0)),
      10_000,
    ),
  ).toBeUndefined();
});

test.each([
  ['an element that is longer than the message', [0x0a, 3, 1]],
  ['a tag that does not end', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80]],
  ['a varint that does not end', [0x10, ...Array<number>(11).fill(0x80)]],
  ['a length that is cut off', [0x0a]],
  ['a field with the number 0', [0x02, 0]],
  ['a group', [0x0b]],
  ['the list as a number', [0x08, 1]],
])('%s is malformed', (_, values) => {
  expect(() => splitRepeatedField(bytes(...values), 10)).toThrow(InvalidInput);
});
