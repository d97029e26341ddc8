import { expect, test } from 'vitest';
import { coalesce } from '../../../src/shared/base/coalesce.ts';
import { eventually } from '../../support/eventually.ts';

test('a flood of requests is two runs: one at once, and one for all that came meanwhile', async () => {
  let runs = 0;
  const request = coalesce(async () => {
    runs += 1;
  }, 1);
  await Promise.all(Array.from({ length: 10_000 }, () => request()));
  expect(runs).toBe(1); // all of them were made before it began
  const during = coalesce(async () => {
    runs += 1;
    if (runs === 2) for (let n = 0; n < 10_000; n += 1) void during();
  }, 1);
  await during();
  await during();
  expect(runs).toBe(3);
});

test('every request is followed by a run that begins after it, and one at a time', async () => {
  const log: string[] = [];
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let run = 0;
  const request = coalesce(async () => {
    const current = run;
    run += 1;
    log.push(`begin ${current}`);
    await gates[current]?.promise;
    log.push(`end ${current}`);
  }, 0);
  const first = request();
  await eventually(
    () => run,
    (count) => count === 1,
  );
  const second = request().then(() => log.push('second is answered'));
  expect(run).toBe(1);
  gates[0]?.resolve();
  await first;
  gates[1]?.resolve();
  await second;
  expect(log).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1', 'second is answered']);
});

test('a run that fails is the failure of those who requested it, and the next one is made', async () => {
  let runs = 0;
  const request = coalesce(async () => {
    runs += 1;
    if (runs === 1) throw new Error('the first');
  }, 0);
  await expect(request()).rejects.toThrow('the first');
  await request();
  expect(runs).toBe(2);
});
