// The verdict on a row: what was seen beside what was promised, made by which code, as one JSON file. "void" where the fault took no effect.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Check } from './stage/scene.ts';
import { folder, root } from './stage/servers.ts';

export interface Verdict {
  row: number;
  title: string;
  /** The guard that was switched off; a control must fail. */
  control?: string;
  verdict: 'pass' | 'fail' | 'void';
  seed: number;
  commit: string;
  /** Whether src/ differed from the commit. */
  isSourceChanged: boolean;
  /** 1: the load of the matrix. */
  scale: number;
  at: string;
  seconds: number;
  proofs: Check[];
  checks: Check[];
  figures: Record<string, string | number>;
  error?: string;
}

export const verdictFolder = join(root, 'test/faults/verdicts');

export function decide({
  proofs,
  checks,
  error,
}: Pick<Verdict, 'proofs' | 'checks' | 'error'>): Verdict['verdict'] {
  if (error !== undefined) return 'fail';
  if (proofs.length === 0 || proofs.some(({ ok }) => !ok)) return 'void';
  return checks.every(({ ok }) => ok) ? 'pass' : 'fail';
}

export function writeVerdict(verdict: Verdict): string {
  const target = verdict.scale < 1 ? join(folder, 'quick-verdicts') : verdictFolder;
  mkdirSync(target, { recursive: true });
  const number = String(verdict.row).padStart(2, '0');
  const name = verdict.control === undefined ? `row-${number}` : `control-${verdict.control}`;
  const file = join(target, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(verdict, undefined, 2)}\n`);
  return file;
}
