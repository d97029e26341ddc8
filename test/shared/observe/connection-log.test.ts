// An outage as its events tell it makes one line for each change of state.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { logConnections } from '../../../src/shared/observe/connection-log.ts';
import { publishEvent } from '../../../src/shared/observe/events.ts';
import type { Logger } from '../../../src/shared/observe/log.ts';

const connection = 'warren-worker@test:1';
const lines: string[] = [];
const line = (level: string) => (fields: unknown, text?: string) => {
  lines.push(`${level} ${text ?? fields} ${JSON.stringify(fields)}`);
};
const log = { info: line('info'), warn: line('warn'), debug: () => {} } as unknown as Logger;
const tags = Array.from({ length: 20 }, (_, n) => ({ tag: `default.${n}`, queue: 'default' }));

let subscriptions: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
  subscriptions = logConnections(log);
});

afterEach(() => {
  for (const unsubscribe of subscriptions) unsubscribe();
  vi.useRealTimers();
});

const texts = () => lines.map((text) => text.slice(0, text.indexOf(' {')));

test('a broker that goes away and comes back: six lines, whatever is tried meanwhile', () => {
  for (const tag of tags) publishEvent('consumer.lost', { ...tag, reason: 'closed' });
  publishEvent('broker.disconnected', { connection, retries: 0, error: new Error('cut') });
  publishEvent('broker.disconnected', { connection, retries: 0, error: new Error('the publisher, too') });
  vi.advanceTimersByTime(1_000);
  publishEvent('lane.changed', { lane: 'postgres' });
  for (let retries = 1; retries < 30; retries += 1)
    publishEvent('broker.disconnected', { connection, retries, error: new Error('refused') });
  for (const tag of tags) publishEvent('consumer.lost', { ...tag, reason: 'cannot register' });
  publishEvent('broker.connected', { connection, reconnect: true });
  publishEvent('broker.connected', { connection, reconnect: true });
  for (const tag of tags) publishEvent('consumer.ready', tag);
  publishEvent('lane.changed', { lane: 'rabbitmq' });
  vi.advanceTimersByTime(1_000);
  expect(texts()).toEqual([
    'warn RabbitMQ is away, connecting again',
    'warn consumers lost, registering again',
    'warn jobs are taken straight from Postgres: the fallback lane is active',
    'info RabbitMQ is back',
    'info every consumer is registered again',
    'info jobs come from RabbitMQ again: the fallback lane is closed',
  ]);
  expect(lines[1]).toContain('"count":20,"queues":["default"],"reason":"closed"');
});

test('consumers that are back before their loss was told of are told of all the same, in order', () => {
  publishEvent('consumer.lost', { tag: 'default.1', queue: 'default', reason: 'queue deleted' });
  publishEvent('consumer.ready', { tag: 'default.1', queue: 'default' });
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(lines.map((text) => text.slice(0, 30))).toEqual([
    'warn consumers lost, registeri',
    'info every consumer is registe',
  ]);
});

test('a presence that is lost and cannot be had again is told of once, and when it is held', () => {
  publishEvent('presence.held', { owner: '7' });
  for (const text of ['closed', 'refused', 'refused'])
    publishEvent('presence.lost', { error: new Error(text) });
  publishEvent('presence.held', { owner: '7' });
  expect(texts()).toEqual([
    'info presence held',
    'warn presence lost: nothing is claimed until it is held again',
    'info presence held again',
  ]);
});
