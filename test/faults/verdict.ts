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

/** The load of the fast core: so much of the matrix's, that all of it takes six minutes. */
export const CORE_SCALE = 0.4;

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

/** `isKept` false: a run at less than the load that is promised, for development. */
export function writeVerdict(verdict: Verdict, { isKept }: { isKept: boolean }): string {
  const target = isKept ? verdictFolder : join(folder, 'quick-verdicts');
  mkdirSync(target, { recursive: true });
  const number = String(verdict.row).padStart(2, '0');
  const name = verdict.control === undefined ? `row-${number}` : `control-${verdict.control}`;
  const file = join(target, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(verdict, undefined, 2)}\n`);
  return file;
}
