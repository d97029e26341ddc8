import { expect, test } from 'vitest';
import { buildReport, lastDays } from '../../../examples/shop/build-report.ts';
import { fits } from '../../support/fitting-arguments.ts';

test('the last days end with today in UTC and cross months and leap days', () => {
  expect(lastDays(new Date('2028-03-01T00:30:00Z'), 3)).toEqual(['2028-03-01', '2028-02-29', '2028-02-28']);
  expect(lastDays(new Date('2027-01-01T23:59:59Z'), 2)).toEqual(['2027-01-01', '2026-12-31']);
  expect(new Set(lastDays(new Date('2027-06-01T12:00:00Z'), 366)).size).toBe(366);
});

test.each([1, 30, 366])('%j days are accepted', async (days) => {
  expect(await fits(buildReport, { days })).toBe(true);
});

test.each([0, -1, 367, 1.5, '30', null, undefined])('%j days are refused', async (days) => {
  expect(await fits(buildReport, { days })).toBe(false);
});
