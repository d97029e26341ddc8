import { type as arktype } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/jobs/define.ts';
import { InvalidInput } from '../../../src/shared/base/errors.ts';
import { argumentsJsonSchema, checkArguments, parseArguments } from '../../../src/shared/job/arguments.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';

const perform = async () => {};
const withZod = defineJob({
  type: 'zod',
  args: z.object({ name: z.string(), tags: z.array(z.string()).default([]) }),
  perform: async (args) => {
    expectTypeOf(args).toEqualTypeOf<{ name: string; tags: string[] }>();
  },
});
const withValibot = defineJob({
  type: 'valibot',
  args: v.object({ name: v.string(), tags: v.optional(v.array(v.string()), []) }),
  perform: async (args) => {
    expectTypeOf(args).toEqualTypeOf<{ name: string; tags: string[] }>();
  },
});
const withArktype = defineJob({
  type: 'arktype',
  args: arktype({ name: 'string', tags: arktype('string[]').default(() => []) }),
  perform: async (args) => {
    expectTypeOf(args).toEqualTypeOf<{ name: string; tags: string[] }>();
  },
});

describe.each<[string, JobDefinition]>([
  ['zod', withZod as JobDefinition],
  ['valibot', withValibot as JobDefinition],
  ['arktype', withArktype as JobDefinition],
])('the arguments of a job type that is written with %s', (_, definition) => {
  test('are checked at once, and what may be left out is filled in', () => {
    expect(parseArguments(definition, { name: 'Ada' })).toEqual({ name: 'Ada', tags: [] });
  });

  test('are refused with a pointer to each thing that is wrong', () => {
    expect(checkArguments(definition, { name: 1, tags: ['a', 2] }, '/args')).toEqual({
      issues: [
        { detail: expect.stringMatching(/string/), pointer: '/args/name' },
        { detail: expect.stringMatching(/string/), pointer: '/args/tags/1' },
      ],
    });
    expect(() => parseArguments(definition, {})).toThrow(InvalidInput);
  });
});

test('the compiler knows what may be enqueued, whatever the library', () => {
  type InputOf<Definition> = Definition extends JobDefinition<infer _, infer Input> ? Input : never;
  type Input = { name: string; tags?: string[] | undefined };
  expectTypeOf<InputOf<typeof withZod>>().toEqualTypeOf<Input>();
  expectTypeOf<InputOf<typeof withValibot>>().toEqualTypeOf<Input>();
  expectTypeOf<InputOf<typeof withArktype>>().toExtend<Input>();
});

test('a schema that is asynchronous is waited for', async () => {
  const isKnown = async (name: string) => name === 'Ada';
  const args = z.object({ name: z.string().refine(isKnown, 'nobody knows') });
  const definition = defineJob({ type: 'greet', args, perform });
  expect(await parseArguments(definition, { name: 'Ada' })).toEqual({ name: 'Ada' });
  expect(await checkArguments(definition, { name: 'Bob' }, '')).toEqual({
    issues: [{ detail: 'nobody knows', pointer: '/name' }],
  });
  await expect(parseArguments(definition, { name: 'Bob' })).rejects.toThrow(InvalidInput);
});

describe('as JSON Schema', () => {
  test('arguments are shown where the library offers it', () => {
    const shown = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
    expect(argumentsJsonSchema(withZod)).toMatchObject(shown);
    expect(argumentsJsonSchema(withArktype)).toMatchObject(shown);
  });

  test('they are left out where it does not, or not for this schema', () => {
    expect(argumentsJsonSchema(withValibot)).toBeUndefined();
    const refuse = () => {
      throw new Error('there is no JSON Schema of it');
    };
    const { validate } = withZod.args['~standard'];
    const jsonSchema = { input: refuse, output: refuse };
    const args = { '~standard': { version: 1, vendor: 'test', validate, jsonSchema } } as const;
    expect(argumentsJsonSchema(defineJob({ type: 'odd', args, perform }))).toBeUndefined();
  });

  test("what JSON has no type for is anything, in zod's", () => {
    const args = z.object({ at: z.date() });
    expect(argumentsJsonSchema(defineJob({ type: 'dated', args, perform }))).toMatchObject({
      properties: { at: {} },
    });
  });
});
