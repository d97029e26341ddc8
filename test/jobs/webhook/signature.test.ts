import { expect, test } from 'vitest';
import { webhookHeaders } from '../../../src/jobs/webhook/signature.ts';

test('signs the example of the Standard Webhooks reference libraries as they do', () => {
  const headers = webhookHeaders({
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_614_265_330,
    body: Buffer.from('{"test": 2432232314}'),
    secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  });
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('signs nothing without a secret', () => {
  const headers = webhookHeaders({ id: '1', timestamp: 1, body: Buffer.alloc(0), secrets: [] });
  expect(headers).not.toHaveProperty('webhook-signature');
});

test('signs with every secret, in the order that they are given, separated by single spaces', () => {
  const older = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const newer = Buffer.alloc(32, 'new').toString('base64');
  const sign = (...secrets: string[]) =>
    webhookHeaders({ id: '1', timestamp: 1, body: Buffer.from('{}'), secrets })['webhook-signature'];
  expect(sign(newer, older)).toBe(`${sign(newer)} ${sign(older)}`);
  expect(sign(newer)).not.toBe(sign(older));
});
