import { expect, test } from 'vitest';
import { decodeJobId, messageOptions } from '../../../src/shared/rabbitmq/message.ts';

test.each(['1', '42', '9007199254740993', '9223372036854775807'])('%s is a job id', (text) => {
  expect(decodeJobId({ content: Buffer.from(text) })).toBe(text);
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
])('%s is no job id', (_, text) => {
  expect(decodeJobId({ content: Buffer.from(text) })).toBeNull();
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
