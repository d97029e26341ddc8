// An outage as its events tell it makes one line for each change of state.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { logConnections } from '../../../src/shared/observe/connection-log.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import type { Logger } from '../../../src/shared/observe/log.ts';

const connection = 'warren-worker@test:1';
const lines: string[] = [];
const line = (level: string) => (fields: unknown, text?: string) => {
  lines.push(`${level} ${text ?? fields} ${JSON.stringify(fields)}`);
};
const log = { info: line('info'), warn: line('warn'), debug: () => {} } as unknown as Logger;
const tags = Array.from({ length: 20 }, (_, n) => ({ tag: `default.${n}`, queue: 'default' }));

const events = new Events();
let subscriptions: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  lines.length = 0;
  subscriptions = logConnections(events, log);
});

afterEach(() => {
  for (const unsubscribe of subscriptions) unsubscribe();
  vi.useRealTimers();
});

const texts = () => lines.map((text) => text.slice(0, text.indexOf(' {')));

test('a broker that goes away and comes back: six lines, whatever is tried meanwhile', () => {
  for (const tag of tags) events.publish('consumer.lost', { ...tag, reason: 'closed' });
  events.publish('broker.disconnected', { connection, retries: 0, error: new Error('cut') });
  events.publish('broker.disconnected', { connection, retries: 0, error: new Error('the publisher, too') });
  vi.advanceTimersByTime(1_000);
  events.publish('lane.changed', { lane: 'postgres' });
  for (let retries = 1; retries < 30; retries += 1)
    events.publish('broker.disconnected', { connection, retries, error: new Error('refused') });
  for (const tag of tags) events.publish('consumer.lost', { ...tag, reason: 'cannot register' });
  events.publish('broker.connected', { connection, reconnect: true });
  events.publish('broker.connected', { connection, reconnect: true });
  for (const tag of tags) events.publish('consumer.ready', tag);
  events.publish('lane.changed', { lane: 'rabbitmq' });
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
  events.publish('consumer.lost', { tag: 'default.1', queue: 'default', reason: 'queue deleted' });
  events.publish('consumer.ready', { tag: 'default.1', queue: 'default' });
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(lines.map((text) => text.slice(0, 30))).toEqual([
    'warn consumers lost, registeri',
    'info every consumer is registe',
  ]);
});

test('a presence that is lost and cannot be had again is told of once, and when it is held', () => {
  events.publish('presence.held', { owner: '7' });
  for (const text of ['closed', 'refused', 'refused'])
    events.publish('presence.lost', { error: new Error(text) });
  events.publish('presence.held', { owner: '7' });
  expect(texts()).toEqual([
    'info presence held',
    'warn presence lost: nothing is claimed until it is held again',
    'info presence held again',
  ]);
});
