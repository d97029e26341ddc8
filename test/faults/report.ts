// Writes docs/faults.md from the verdicts that are kept: one line per row, and what failed.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stage/servers.ts';
import type { Verdict } from './verdict.ts';
import { verdictFolder } from './verdict.ts';

export function writeReport(): void {
  const verdicts = globSync('*.json', { cwd: verdictFolder })
    .sort()
    .map((file) => JSON.parse(readFileSync(join(verdictFolder, file), 'utf8')) as Verdict);
  const rows = verdicts.filter(({ control }) => control === undefined);
  const controls = verdicts.filter(({ control }) => control !== undefined);
  writeFileSync(join(root, 'docs/faults.md'), renderReport(rows, controls));
}

export function renderReport(rows: readonly Verdict[], controls: readonly Verdict[]): string {
  const broken = rows.filter(({ verdict }) => verdict !== 'pass');
  return [
    '# Faults',
    '',
    'Written by `npm run faults` from `test/faults/verdicts/`; do not edit. Each row breaks something on purpose under load and then compares',
    'three records that the product does not write: what was submitted and acknowledged, what handlers did, and what is left in Postgres and RabbitMQ.',
    'A row passes only if the fault took effect and every bar holds; `void` means that it took none. Rows from 41 on are outages at full size,',
    'with bars of their own.',
    '',
    '- **lost**: acknowledged jobs that never ran to an end. **run after success**: jobs that started again although their completion was committed.',
    '- **extra runs**: starts beyond one for each job, as a killed worker makes necessary. **overlap**: two attempts of one job at the same moment.',
    '- **charged without a start**: attempts that count against `maxAttempts` although no handler started.',
    '- **deliveries per job**: messages that RabbitMQ delivered, divided by the jobs. Below 1 where workers took jobs straight from Postgres while',
    '  RabbitMQ was away (row 11: 0.159, about one job in six came by message); above 1 where messages came again.',
    '',
    '| row | fault | verdict | jobs | lost | run after success | extra runs | overlap | charged without a start | deliveries per job | takeover p99 | made by |',
    '| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows.map(renderRow),
    '',
    `Rows of the matrix that are not played: ${missing(rows).join(', ')}.`,
    '',
    '## What did not hold',
    '',
    ...(broken.length === 0 ? ['Everything that was played held.'] : broken.flatMap(renderFailure)),
    '',
    '## Negative controls',
    '',
    'The same rows with one guard switched off. A control has to fail, or the row could not see that damage.',
    '',
    '| control | row | verdict | what it broke |',
    '| --- | ---: | --- | --- |',
    ...controls.map(
      ({ control, row, verdict, checks }) =>
        `| ${control} | ${row} | ${verdict === 'fail' ? 'fails, as it must' : `**${verdict}**`} | ${cell(failures(checks).join('; '))} |`,
    ),
    '',
  ].join('\n');
}

const MATRIX_ROWS = 40;

function missing(rows: readonly Verdict[]): number[] {
  const played = new Set(rows.map(({ row }) => row));
  return Array.from({ length: MATRIX_ROWS }, (_, n) => n + 1).filter((row) => !played.has(row));
}

function renderRow({ row, title, verdict, figures, checks, commit, isSourceChanged, seed }: Verdict): string {
  const seen = (name: string) =>
    String(checks.find((check) => check.name === name)?.seen ?? '').replace(/:.*/, '');
  const takeover = figures['takeoverP99Ms'];
  const cells = [
    row,
    title,
    verdict === 'pass' ? 'pass' : `**${verdict}**`,
    figures['attempted'] ?? '',
    seen('lost'),
    seen('after_success'),
    figures['extraRuns'] ?? '',
    seen('overlap'),
    seen('burned'),
    seen('amplification'),
    takeover === undefined ? '' : `${Math.round(Number(takeover))} ms`,
    `${commit}${isSourceChanged ? ' + changes' : ''}, seed ${seed}`,
  ];
  return `| ${cells.map((value) => cell(String(value))).join(' | ')} |`;
}

function renderFailure({ row, title, proofs, checks, error }: Verdict): string[] {
  const lines = [
    ...proofs.filter(({ ok }) => !ok).map(({ name, seen }) => `no effect: ${name}: ${seen}`),
    ...failures(checks),
  ];
  if (error !== undefined) lines.push(`the run broke off: ${error.split('\n')[0]}`);
  return [`- Row ${row}, ${title}:`, ...lines.map((line) => `  - ${cell(line)}`)];
}

function failures(checks: Verdict['checks']): string[] {
  return checks.filter(({ ok }) => !ok).map(({ name, bar, seen }) => `${name}: ${seen} (bar ${bar})`);
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 400);
}
