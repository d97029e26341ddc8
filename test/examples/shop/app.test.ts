import { expect, test } from 'vitest';
import { argumentsJsonSchema, parseArguments } from '../../../src/shared/job/arguments.ts';
import { app, definitions } from '../../support/shop.ts';

test('the shop has the queues and the job types that its users know', () => {
  const queues = [...app.queues].map(([queue, { channels, prefetch }]) => `${queue}:${channels}:${prefetch}`);
  expect(queues.join()).toBe('critical:5:20,default:5:20,webhooks:5:20,reports:5:1');
  expect([...definitions.keys()]).toEqual([
    'process-order',
    'deliver-webhook',
    'build-report',
    'act-on-jobs',
  ]);
});

test.each([...definitions])(
  '%s is filed under its own type, and its arguments have a JSON Schema',
  (type, definition) => {
    expect(definition.type).toBe(type);
    expect(argumentsJsonSchema(definition)).toMatchObject({
      type: 'object',
      additionalProperties: false,
    });
  },
);

test('the arguments survive a second parse unchanged: they are checked at enqueue and before the handler runs', () => {
  const samples: Record<string, unknown> = {
    'process-order': { orderId: 7 },
    'deliver-webhook': { url: 'https://example.com/', headers: { 'X-Id': '1' }, body: [1] },
    'build-report': { days: 30 },
    'act-on-jobs': { action: 'retry', filter: { state: 'discarded' }, upToId: '7' },
  };
  for (const [type, definition] of definitions) {
    const once = parseArguments(definition, samples[type]);
    expect(parseArguments(definition, JSON.parse(JSON.stringify(once)))).toEqual(once);
  }
});
