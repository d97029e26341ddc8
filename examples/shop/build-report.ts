/**
 * `build-report`: totals of the orders of the last days, day by day.
 *
 * A slow job: it asks between any two days whether it is to stop. Changes nothing.
 */
import type { JobContext } from 'warren/app';
import { defineJob } from 'warren/app';
import { z } from 'zod';
import type { DayTotal, Orders } from './orders.ts';

const MAX_DAYS = 366;
const DAY_MS = 86_400_000;

export const buildReport = defineJob({
  type: 'build-report',
  queue: 'reports',
  args: z.strictObject({ days: z.int().min(1).max(MAX_DAYS) }),
  maxAttempts: 3,
  timeoutMs: 600_000,
  async perform({ days }, { services: { orders }, signal }: JobContext<{ orders: Orders }>) {
    const totals: DayTotal[] = [];
    for (const day of lastDays(new Date(), days)) {
      signal.throwIfAborted();
      totals.push(await orders.totalOfDay(day));
    }
    return {
      days: totals,
      orders: totals.reduce((sum, { orders }) => sum + orders, 0),
      totalCents: totals.reduce((sum, { totalCents }) => sum + totalCents, 0),
    };
  },
});

/** The `count` days in UTC that end with the one of `now`, newest first, as YYYY-MM-DD. Fixed once: midnight may pass while the job runs. */
export function lastDays(now: Date, count: number): string[] {
  return Array.from({ length: count }, (_, back) =>
    new Date(now.getTime() - back * DAY_MS).toISOString().slice(0, 10),
  );
}
