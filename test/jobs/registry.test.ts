import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { definitions } from '../../src/jobs/registry.ts';
import { argumentsJsonSchema, parseArguments } from '../../src/shared/job/arguments.ts';

test('every file in src/jobs that is not part of the machinery is a registered job type of that name', () => {
  const files = readdirSync(new URL('../../src/jobs/', import.meta.url)).filter((name) =>
    name.endsWith('.ts'),
  );
  const types = files
    .map((name) => name.slice(0, -'.ts'.length))
    .filter((name) => !['define', 'registry'].includes(name));
  expect([...definitions.keys()].sort()).toEqual(types.sort());
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
  };
  for (const [type, definition] of definitions) {
    const once = parseArguments(definition, samples[type]);
    expect(parseArguments(definition, JSON.parse(JSON.stringify(once)))).toEqual(once);
  }
});
