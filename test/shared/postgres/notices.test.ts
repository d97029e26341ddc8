import { expect, test } from 'vitest';
import { parseNotice } from '../../../src/shared/postgres/notices.ts';

test('the notices of the fleet are read', () => {
  expect(parseNotice('due')).toEqual({ kind: 'due' });
  expect(parseNotice('queues')).toEqual({ kind: 'queues' });
  expect(parseNotice('leader')).toEqual({ kind: 'leader' });
  expect(parseNotice('cancel:9223372036854775807')).toEqual({ kind: 'cancel', jobId: '9223372036854775807' });
});

test.each([
  '',
  'cancel',
  'cancel:',
  'cancel:0',
  'cancel:01',
  'cancel:1 ',
  'cancel:9223372036854775808',
  'cancel:1:2',
  'Due',
  'due:1',
  'constructor',
])('"%s" is no notice', (payload) => {
  expect(parseNotice(payload)).toBeUndefined();
});
