import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import type { Database } from '../../src/shared/postgres/database.ts';
import { findServedTypes } from '../../src/shared/postgres/statements/workers.ts';
import { ForeignJobs } from '../../src/worker/foreign-jobs.ts';
import type { DeliveryHandlers } from '../../src/worker/run-delivery.ts';
import { runDelivery } from '../../src/worker/run-delivery.ts';

const told = [{ queue: 'default', type: 'invoice' }];
const served = { told, mayServeAll: false };

/** A worker of ten slots beside one that runs `invoice`; what it spends needs no answer. */
function foreign(slots = 10) {
  const query = async (statement: unknown) => (statement === findServedTypes ? served : undefined);
  const database = { query } as unknown as Database;
  const jobs = new ForeignJobs({ database, events: new Events(), slotsOf: () => slots });
  const take = (message: object, id: string, returns = 19) =>
    jobs.take({ message, id, type: 'invoice', queue: 'default', returns });
  return { jobs, take };
}

test('a message takes one place, however many jobs of it are foreign, and all of them are decided alike', async () => {
  const { jobs, take } = foreign();
  const message = {};
  const taken = Array.from({ length: 16 }, (_, n) => take(message, `${n + 1}`));
  expect(await Promise.all(taken)).toEqual(taken.map(() => 'requeue'));
  expect(await take(message, '17')).toBe('requeue'); // it has found a slot later than the others
  jobs.drain();
});

test('beyond half of the slots messages are acknowledged, each with all of its jobs; places are free again after the wait', async () => {
  const { take } = foreign(4);
  const messages = [{}, {}, {}];
  const taken = messages.flatMap((message, n) => [take(message, `${n}1`), take(message, `${n}2`)]);
  expect(await Promise.all(taken)).toEqual(['requeue', 'requeue', 'requeue', 'requeue', 'ack', 'ack']);
  expect(await take(messages[2] as object, '23')).toBe('ack');
  expect(await take({}, '31')).toBe('requeue');
});

test('a message that was returned too often is acknowledged', async () => {
  const { take } = foreign();
  expect(await take({}, '1', 20)).toBe('ack');
});

test('while a foreign job is held its slot is free', async () => {
  const { jobs } = foreign();
  const attempts = { run: async () => ({ kind: 'refused', reason: 'foreign', type: 'invoice' }) };
  const handlers = { attempts, foreignJobs: jobs } as unknown as DeliveryHandlers;
  const seen: string[] = [];
  const delivery = { id: '1', redelivered: true, queue: 'default', message: {}, returns: 19 };
  seen.push(String(await runDelivery(handlers, delivery, () => seen.push('slot is free'))));
  expect(seen).toEqual(['slot is free', 'requeue']);
});
