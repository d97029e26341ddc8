import { describe, expect, test } from 'vitest';
import type { Activity } from '../../../bench/connections/activity.ts';
import { compareHoldings, renderHoldings } from '../../../bench/connections/holdings.ts';
import { maximaOf, processOf, readSettings } from '../../../bench/connections/maxima.ts';

const settings = readSettings({});
const activityOf = (connections: Record<string, number>, max = 97): Activity => {
  const applications = Object.entries(connections).map(([name, count]) => ({
    name,
    connections: count,
    active: 1,
  }));
  return { applications, total: applications.reduce((sum, { connections: count }) => sum + count, 0), max };
};
const worker = { name: 'warren-worker@b:2', connections: 2, channels: 21, consumers: 20 };
const api = { name: 'warren-api@a:1', connections: 1, channels: 4, consumers: 0 };

describe('the maxima', () => {
  test('come from the settings, with the programs’ own defaults', () => {
    expect(settings).toEqual({ poolMax: 10, jobsPoolMax: 10, publisherChannels: 4, workerChannels: 20 });
    const changed = {
      DATABASE_POOL_MAX: '5',
      PUBLISHER_CHANNELS: '',
      WORKER_QUEUES: 'default:2:10,reports:1:1',
    };
    expect(readSettings(changed)).toEqual({
      poolMax: 5,
      jobsPoolMax: 10,
      publisherChannels: 4,
      workerChannels: 3,
    });
    expect(() => readSettings({ DATABASE_POOL_MAX: 'many' })).toThrow('DATABASE_POOL_MAX is wrong: many');
  });

  test('count the presence connection of a worker with it', () => {
    expect(processOf('warren-worker@b:2 presence')).toBe('warren-worker@b:2');
    expect(maximaOf('warren-worker@b:2', settings)).toMatchObject({ database: 21, consumers: 20 });
    expect(maximaOf('warren-api@a:1', settings)).toMatchObject({ database: 10, connections: 1, channels: 5 });
  });

  test('are those of a small pool for a quarantine, also where Postgres has cut its name', () => {
    for (const name of ['quarantine', 'quarantin', 'quaranti'])
      expect(maximaOf(`warren-worker@b:2 ${name}`, settings)?.database).toBe(8);
  });

  test('are nobody’s who is none of ours', () => {
    expect(maximaOf('psql', settings)).toBeUndefined();
  });
});

describe('what is held', () => {
  const activity = activityOf({
    'warren-api@a:1': 10,
    'warren-worker@b:2': 10,
    'warren-worker@b:2 presence': 1,
    psql: 3,
  });

  test('is within its maxima up to the last connection', () => {
    expect(compareHoldings({ activity, broker: [api, worker], settings }).exceeded).toEqual([]);
  });

  test('stands in one table with its maxima', () => {
    const holdings = compareHoldings({ activity, broker: [api, worker], settings });
    expect(renderHoldings(holdings, { activity, broker: [api, worker] }).split('\n')).toEqual([
      'PROCESS            POSTGRES  ACTIVE  RABBITMQ  CHANNELS  CONSUMERS',
      'psql               3              1  0         0         0',
      'warren-api@a:1     10/10          1  1/1       4/5       0/0',
      'warren-worker@b:2  11/21          2  2/2       21/23     20/20',
      '(all)              24/97          4  3         25        20',
      '',
      'Every pool full: 34 of 97 Postgres connections.',
    ]);
  });

  test.each([
    [
      'Postgres connections',
      { 'warren-api@a:1': 11 },
      [api],
      'warren-api@a:1 holds 11 Postgres connections, its settings allow 10',
    ],
    [
      'RabbitMQ connections',
      {},
      [{ ...api, connections: 2 }],
      'warren-api@a:1 holds 2 RabbitMQ connections, its settings allow 1',
    ],
    ['channels', {}, [{ ...api, channels: 6 }], 'warren-api@a:1 holds 6 channels, its settings allow 5'],
    [
      'consumers',
      {},
      [{ ...worker, consumers: 21 }],
      'warren-worker@b:2 holds 21 consumers, its settings allow 20',
    ],
  ])('and exceeds its maximum of %s is named', (_, connections, broker, message) => {
    const held = compareHoldings({ activity: activityOf(connections), broker, settings });
    expect(held.exceeded).toEqual([message]);
  });

  test('and could exceed what the server allows is named before it does', () => {
    const small = activityOf({ 'warren-api@a:1': 2, 'warren-worker@b:2': 3, psql: 3 }, 33);
    expect(compareHoldings({ activity: small, broker: [], settings }).exceeded).toEqual([
      'the pools may open 34 Postgres connections together with what others hold, the server allows 33',
    ]);
  });

  test('is unknown where a server was not asked', () => {
    const holdings = compareHoldings({ activity: undefined, broker: [api], settings });
    expect(holdings.exceeded).toEqual([]);
    expect(renderHoldings(holdings, { activity: undefined, broker: [api] })).toContain(
      'warren-api@a:1  unknown   unknown  1/1       4/5       0/0',
    );
  });
});
