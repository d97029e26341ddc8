// New arguments for many jobs at once: what keeps them from being set, and what is stored of an encrypted type.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob } from '../../../src/index.ts';
import { toManyArguments } from '../../../src/queue/bulk/many-arguments.ts';
import { Encryption } from '../../../src/shared/job/encryption.ts';

const options = { args: z.object({ to: z.string() }), perform: async () => {} };
const app = defineApp({
  name: 'crm',
  queues: { default: {} },
  jobs: [
    defineJob({ type: 'unique', ...options, unique: ({ to }) => ({ key: to }) }),
    defineJob({ type: 'grouped', ...options, group: ({ to }) => to }),
    defineJob({ type: 'ordered', ...options, orderingKey: ({ to }) => to }),
    defineJob({ type: 'limited', ...options, limits: ({ to }) => [to] }),
    defineJob({ type: 'sealed', ...options, encrypted: true }),
  ],
});
const key = createHash('sha256').update('k1').digest('base64');
const encryption = new Encryption(`k1:${key}`);
const write = async (type: string, args: unknown) =>
  await toManyArguments({ args, filter: { type }, app, encryption });

test.each(['unique', 'grouped', 'ordered', 'limited'])(
  'a type that is %s by its arguments is refused',
  async (type) => {
    await expect(write(type, { to: 'ada' })).rejects.toMatchObject({ code: 'args_decide_place' });
  },
);

test('those of an encrypted type are encrypted', async () => {
  const json = await write('sealed', { to: 'ada' });
  expect(json).not.toContain('"ada"'); // with its quotes, which no base64 has
  expect(encryption.open(JSON.parse(json), { type: 'sealed', part: 'args' })).toEqual({ to: 'ada' });
});

test('they are as large as one job may have at most', async () => {
  const large = { to: 'x'.repeat(2_000_000) };
  await expect(write('sealed', large)).rejects.toMatchObject({ code: 'args_too_large' });
});
