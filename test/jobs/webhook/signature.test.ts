import { expect, test } from 'vitest';
import { webhookHeaders } from '../../../src/jobs/webhook/signature.ts';

test('signs the example of the Standard Webhooks reference libraries as they do', () => {
  const headers = webhookHeaders({
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1_614_265_330,
    body: Buffer.from('{"test": 2432232314}'),
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  });
  expect(headers).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('signs nothing without a secret', () => {
  const headers = webhookHeaders({ id: '1', timestamp: 1, body: Buffer.alloc(0), secret: undefined });
  expect(headers).not.toHaveProperty('webhook-signature');
});
