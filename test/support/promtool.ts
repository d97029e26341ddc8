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

/** Resolves with what promtool found wrong; empty where the rules do what the case says. Annotations are not compared: their texts hold values. */
export async function testRules(
  rules: readonly AlertRule[],
  { alert, input, at, fires }: RuleCase,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'warren-rules-'));
  try {
    const bare = rules.map(({ annotations, ...rule }) => rule);
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'warren', rules: bare }] }));
    const severity = rules.find((rule) => rule.alert === alert)?.labels['severity'] ?? '';
    const expected = fires.map((labels) => ({ exp_labels: { severity, ...labels } }));
    const test = {
      interval: '1m',
      input_series: input,
      alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
    };
    writeFileSync(
      join(folder, 'test.yaml'),
      stringify({ rule_files: ['rules.yaml'], evaluation_interval: '1m', tests: [test] }),
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
export async function checkRules(rules: readonly AlertRule[]): Promise<string> {
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
