import { expect, test } from 'vitest';
import { BodyBudget } from '../../src/api/body-budget.ts';
import { traceOfEach } from '../../src/api/carried-trace.ts';

const trace = { requestId: 'request-1', baggage: 'tenant=acme' };

test('baggage travels with each job, and is held for all of them', () => {
  using reservation = new BodyBudget(1_000).hold(0);
  expect(traceOfEach(trace, { jobs: 10, reservation })).toEqual(trace);
  expect(() => reservation.add(1_000 - 10 * trace.baggage.length + 1)).toThrow('110 bytes');
});

test('baggage for which there is no room is left out, and the jobs are not refused', () => {
  const bodies = new BodyBudget(1_000);
  using reservation = bodies.hold(900);
  expect(traceOfEach(trace, { jobs: 10, reservation })).toEqual({ requestId: 'request-1' });
  expect(bodies.heldBytes).toBe(900);
});

test('what has none is left as it is', () => {
  using reservation = new BodyBudget(0).hold(0);
  expect(traceOfEach({ requestId: 'request-1' }, { jobs: 10, reservation })).toEqual({
    requestId: 'request-1',
  });
  expect(traceOfEach(undefined, { jobs: 10, reservation })).toBeUndefined();
});
