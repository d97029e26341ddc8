// The shortening of the rules' times, by which the causes of alerts can be provoked for real, changes the times and nothing else.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { hurryRules } from '../support/hurried-rules.ts';
import type { AlertRule } from '../support/promtool.ts';

const rule = (expr: string, pending?: string): AlertRule => ({
  alert: 'An',
  expr,
  ...(pending === undefined ? {} : { for: pending }),
  labels: {},
  annotations: {},
});
const hurry = (expr: string) => hurryRules([rule(expr)])[0]?.expr;

test('a time to wait, a window and a bound in seconds are divided by sixty', () => {
  expect(hurryRules([rule('sum(rate(x_total[15m])) > 0.2', '5m')])).toEqual([
    rule('sum(rate(x_total[15s])) > 0.2', '5s'),
  ]);
  expect(hurry('max by (queue) (warren_queue_oldest_available_seconds) > 300')).toBe(
    'max by (queue) (warren_queue_oldest_available_seconds) > 5',
  );
});

test('counts, ratios and latencies stay', () => {
  for (const expr of [
    'max(delay_seconds{quantile="0.99"}) > 0.25',
    'sum(increase(x_total[10m])) > 5',
    'changes(process_start_time_seconds[30m]) > 2',
    'warren_jobs > 300',
  ])
    expect(hurry(expr)).toBe(expr.replace('m]', 's]'));
});

test('a time that is not in whole minutes is refused', () => {
  expect(() => hurry('rate(x_total[90s])')).toThrow('90s');
  expect(() => hurryRules([rule('up', '1h')])).toThrow('1h');
});

test('of the shipped rules nothing changes but the times', () => {
  const file = new URL('../../k8s/components/service-monitor/warren-rules.yaml', import.meta.url);
  const shipped: AlertRule[] = parse(readFileSync(file, 'utf8')).groups[0].rules;
  const again = hurryRules(shipped).map((hurried) => ({
    ...hurried,
    expr: hurried.expr.replaceAll('s]', 'm]').replace('seconds) > 5', 'seconds) > 300'),
    ...(hurried.for === undefined ? {} : { for: hurried.for.replace('s', 'm') }),
  }));
  expect(again).toEqual(shipped);
});
