// What a number of messages per second takes, by what one costs.
import { expect, test } from 'vitest';
import type { Cost } from '../../../bench/messages/capacity.ts';
import { fleetFor, publishedPerSecond } from '../../../bench/messages/capacity.ts';

const cost: Cost = {
  publisherUs: 80,
  consumerUs: 50,
  rabbitmqUs: 20,
  postgresUs: 100,
  walBytes: 1_000,
  storedBytes: 500,
};

test('processors are the time of all messages of a second, pods leave their share free', () => {
  expect(fleetFor(cost, { perSecond: 100_000, utilization: 0.8 })).toEqual({
    publisherCpus: 8,
    consumerCpus: 5,
    rabbitmqCpus: 2,
    postgresCpus: 10,
    publishers: 10,
    consumers: 7,
    walMbPerSecond: 100,
    storedGbPerDay: 4_320,
  });
});

test('a fleet publishes what its processors have time for', () => {
  expect(publishedPerSecond(cost, { publishers: 20, cpusEach: 0.2 })).toBe(50_000);
});
