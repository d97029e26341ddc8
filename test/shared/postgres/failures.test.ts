import { describe, expect, test } from 'vitest';
import {
  isMissingSchema,
  isRowError,
  isUnavailable,
  isUniqueViolation,
} from '../../../src/shared/postgres/failures.ts';

const failure = (code: unknown) => Object.assign(new Error('from Postgres'), { code });

describe('worth a later try', () => {
  test.each([
    'ECONNREFUSED',
    'CONNECTION_CLOSED',
    'CONNECT_TIMEOUT',
    '57P01', // terminated by an administrator
    '57P03', // starting up
    '57014', // statement_timeout
    '53300', // too many connections
    '53100', // disk full
    '40P01', // deadlock
    '40001',
    '55P03', // lock_timeout
    '25006', // a standby
    '08006',
    '58030',
    '3D000', // the database is being restored
  ])('is %s', (code) => {
    expect(isUnavailable(failure(code))).toBe(true);
    expect(isRowError(failure(code))).toBe(false);
  });

  test.each(['42601', '42P01', '22P02', '23505', 'UNDEFINED_VALUE', '', 7, undefined])(
    'is not %s',
    (code) => {
      expect(isUnavailable(failure(code))).toBe(false);
    },
  );
});

test.each([
  '22P02', // no such number
  '22P05', // \u0000 in a jsonb
  '22003', // out of range
  '23502',
  '23514',
  '54001', // nested too deep
])('%s is the fault of a row', (code) => {
  expect(isRowError(failure(code))).toBe(true);
});

test('a missing table, a missing schema and a unique key that is held have names of their own', () => {
  expect(['42P01', '3F000', '23505'].map((code) => isMissingSchema(failure(code)))).toEqual([
    true,
    true,
    false,
  ]);
  expect(['42P01', '23505'].map((code) => isUniqueViolation(failure(code)))).toEqual([false, true]);
});

test.each([undefined, null, 'text', new Error('no code')])('%s says nothing', (error) => {
  for (const tells of [isUnavailable, isRowError, isMissingSchema, isUniqueViolation])
    expect(tells(error)).toBe(false);
});
