// Prometheus's own judge of rules. Installed from the distribution where it can be; where it cannot, `findPromtoolObstacle` says so, and the tests are
// skipped with that reason.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runCommand } from '../../dev/command.ts';
import { inspectDistribution } from '../../dev/services/machine.ts';
import { installPackages } from '../../dev/services/packages.ts';

const timeoutMs = 60_000;

/** Resolves with nothing where promtool runs. */
export async function findPromtoolObstacle(): Promise<string | undefined> {
  if (await answers()) return undefined;
  const { canInstall } = await inspectDistribution(runCommand);
  if (!canInstall) return 'promtool is missing, and only Debian or Ubuntu with root can install it here';
  await installPackages({ packages: ['prometheus'], run: runCommand, log: console.log });
  return (await answers()) ? undefined : 'the package prometheus has brought no promtool';
}

async function answers(): Promise<boolean> {
  return (await runCommand('promtool', ['--version'], { timeoutMs })).status === 0;
}

/** What stands in `series` at one minute's distance: `0 0 1 1`, or `0x5 1x30`. */
export interface InputSeries {
  series: string;
  values: string;
}

export interface RuleCase {
  alert: string;
  input: readonly InputSeries[];
  /** When to look, as `20m`. */
  at: string;
  /** The labels of each alert that fires then, the severity left out; none for silence. */
  fires: readonly Record<string, string>[];
}

/** One alerting rule, as Prometheus reads it. */
export interface AlertRule {
  alert: string;
  expr: string;
  for?: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface RecordingRule {
  record: string;
  expr: string;
}

/** Resolves with what promtool found wrong; empty where the rules do what the case says. Annotations are not compared: their texts hold values. */
export async function testRules(
  rules: readonly AlertRule[],
  { alert, input, at, fires }: RuleCase,
): Promise<string> {
  const bare = rules.map(({ annotations, ...rule }) => rule);
  const severity = rules.find((rule) => rule.alert === alert)?.labels['severity'] ?? '';
  const expected = fires.map((labels) => ({ exp_labels: { severity, ...labels } }));
  return await runTest(bare, {
    input_series: input,
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
  });
}

export interface ExpressionCase {
  expression: string;
  input: readonly InputSeries[];
  /** What it comes to at the first minute: one number, without labels. */
  value: number;
}

/** Resolves with what promtool found wrong; empty where the expression comes to the number of the case. */
export async function testExpression({ expression, input, value }: ExpressionCase): Promise<string> {
  return await runTest([], {
    input_series: input,
    promql_expr_test: [{ expr: expression, eval_time: '1m', exp_samples: [{ labels: '{}', value }] }],
  });
}

async function runTest(rules: readonly object[], test: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'warren-rules-'));
  try {
    const files = rules.length === 0 ? [] : ['rules.yaml'];
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'warren', rules }] }));
    writeFileSync(
      join(folder, 'test.yaml'),
      stringify({ rule_files: files, evaluation_interval: '1m', tests: [{ interval: '1m', ...test }] }),
    );
    const { status, stdout, stderr } = await runCommand('promtool', ['test', 'rules', 'test.yaml'], {
      cwd: folder,
      timeoutMs,
    });
    return status === 0 ? '' : `${stdout}\n${stderr}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Resolves with what promtool says of rules as they stand, annotations and their templates included. */
export async function checkRules(rules: readonly (AlertRule | RecordingRule)[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'warren-rules-'));
  try {
    const path = join(folder, 'rules.yaml');
    writeFileSync(path, stringify({ groups: [{ name: 'warren', rules }] }));
    const { status, stdout, stderr } = await runCommand('promtool', ['check', 'rules', path], { timeoutMs });
    return status === 0 ? '' : `${stdout}\n${stderr}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
