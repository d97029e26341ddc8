import { expect, test } from 'vitest';
import {
  decodeJobIds,
  encodeJobIds,
  groupForMessages,
  MAX_IDS_WRITTEN,
  messageOptions,
} from '../../../src/shared/rabbitmq/message.ts';

test.each(['1', '42', '9007199254740993', '9223372036854775807'])('%s is a job id', (text) => {
  expect(decodeJobIds({ content: Buffer.from(text) })).toEqual([text]);
});

const listed = (count: number) =>
  Array.from({ length: count }, (_, n) => String(9_223_372_036_854_775_807n - BigInt(n)));

test('a message carries up to 32 ids of any length, each of which counts once', () => {
  expect(decodeJobIds({ content: Buffer.from('1 42 7') })).toEqual(['1', '42', '7']);
  expect(decodeJobIds({ content: Buffer.from('7 1 7 7') })).toEqual(['7', '1']);
  expect(decodeJobIds({ content: Buffer.from(listed(32).join(' ')) })).toEqual(listed(32));
});

test('what is written is read', () => {
  const jobs = listed(MAX_IDS_WRITTEN).map((id) => ({ id }));
  expect(decodeJobIds({ content: encodeJobIds(jobs) })).toEqual(listed(MAX_IDS_WRITTEN));
  expect(encodeJobIds([{ id: '7' }]).toString()).toBe('7');
});

test.each([
  ['an empty body', ''],
  ['zero', '0'],
  ['a negative number', '-1'],
  ['a number with a sign', '+1'],
  ['an exponent', '1e3'],
  ['hexadecimal', '0x1'],
  ['a fraction', '1.0'],
  ['leading zeros', '007'],
  ['a space', ' 1'],
  ['a line break', '1\n'],
  ['two lines', '1\n2'],
  ['2^63', '9223372036854775808'],
  ['20 digits', '10000000000000000000'],
  ['other digits', '١٢'],
  ['JSON', '{"id":1}'],
  ['a name of Object.prototype', '__proto__'],
  ['a NUL', '1\u0000'],
  ['1 MB', '1'.repeat(1_048_576)],
  ['33 ids', listed(33).join(' ')],
  ['33 short ids', Array.from({ length: 33 }, (_, n) => n + 1).join(' ')],
  ['two spaces', '1  2'],
  ['a space at the end', '1 2 '],
  ['a comma', '1,2'],
  ['a tab', '1\t2'],
  ['one that is none among others', '1 2 007 3'],
])('%s is no list of job ids', (_, text) => {
  expect(decodeJobIds({ content: Buffer.from(text) })).toBeNull();
});

test('a message survives a restart of the broker, comes back where no queue takes it, and names its job', () => {
  expect(messageOptions({ id: '7', type: 'process-order' })).toEqual({
    persistent: true,
    mandatory: true,
    messageId: '7',
    type: 'process-order',
    contentType: 'text/plain',
  });
});

const numbered = (count: number, of: { type?: string; queue?: string } = {}, from = 1) =>
  Array.from({ length: count }, (_, n) => ({ id: String(from + n), type: 'greet', queue: 'mail', ...of }));
const idsOf = (groups: readonly (readonly { id: string }[])[]) =>
  groups.map((group) => group.map(({ id }) => id));

test('jobs of one queue and type share messages, as many as are asked for and sixteen at most', () => {
  const sizes = (most: number) => groupForMessages(numbered(40), () => most).map(({ length }) => length);
  expect(sizes(1)).toEqual(Array.from({ length: 40 }, () => 1));
  expect(sizes(10)).toEqual([10, 10, 10, 10]);
  expect(sizes(20)).toEqual([16, 16, 8]);
  expect(groupForMessages(numbered(40), () => 16).flat()).toEqual(numbered(40));
});

test('a message holds jobs of one queue and one type, however they are mixed', () => {
  const a = numbered(2);
  const b = numbered(2, { type: 'leave' }, 3);
  const c = numbered(2, { queue: 'reports' }, 5);
  const mixed = [a[0], b[0], c[0], a[1], b[1], c[1]].filter((job) => job !== undefined);
  expect(idsOf(groupForMessages(mixed, () => 16))).toEqual([
    ['1', '2'],
    ['3', '4'],
    ['5', '6'],
  ]);
  expect(idsOf(groupForMessages(mixed, (queue) => (queue === 'reports' ? 1 : 16)))).toEqual([
    ['1', '2'],
    ['3', '4'],
    ['5'],
    ['6'],
  ]);
});
