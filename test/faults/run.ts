// `npm run faults`: plays the rows of the fault matrix and writes a verdict for each, and docs/faults.md.
// `--row 1,5` plays these, `--core` the fast core at less than half the load, `--controls` the negative controls (of these rows), `--quick` a fifth of the load (neither is kept).
// `--committed` plays the last commit's src/ instead of the working tree's. FAULT_SEED repeats a run. Exit code 1 where a row did not pass, or a control did.
import { readCommandLine } from '../../dev/command-line.ts';
import { controls } from './controls.ts';
import { playRow } from './play.ts';
import { writeReport } from './report.ts';
import { rows } from './rows.ts';
import type { Row } from './stage/scene.ts';
import { startFaultServers } from './stage/servers.ts';
import { copySource } from './stage/source.ts';
import type { Verdict } from './verdict.ts';
import { CORE_SCALE, writeVerdict } from './verdict.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);

const options = readCommandLine({
  name: 'npm run faults',
  about:
    'Plays the rows of the fault matrix, and writes a verdict for each and docs/faults.md. Exit code 1 where a row did not pass.',
  flags: {
    row: { value: '1,5', meaning: 'these rows alone' },
    core: { meaning: 'the fast core, at less than half the load' },
    controls: { meaning: 'the negative controls (of these rows): broken code that must not pass' },
    quick: { meaning: 'a fifth of the load; its verdicts are not kept' },
    committed: { meaning: "the last commit's src/ instead of the working tree's" },
  },
});
const seed = Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const isCommitted = options.committed;
/** `--quick` is for development. */
const scale = options.quick ? 0.2 : options.core ? CORE_SCALE : 1;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
log(`FAULT_SEED=${seed}`);
const servers = await startFaultServers(log);
let isGood = true;
try {
  isGood = await (options.controls ? playControls() : playRows(chooseRows()));
} finally {
  await servers.stop();
}
process.exit(isGood ? 0 : 1);

function chooseRows(): Row[] {
  if (options.core) return rows.filter(({ isCore }) => isCore);
  if (options.row === undefined) return [...rows];
  const wanted = options.row.split(',').map(Number);
  return wanted.map((number) => {
    const row = rows.find((candidate) => candidate.number === number);
    if (row === undefined) throw new Error(`there is no row ${number}`);
    return row;
  });
}

async function playRows(chosen: readonly Row[]): Promise<boolean> {
  const source = copySource({ isCommitted });
  let passed = 0;
  for (const row of chosen) {
    log(`row ${row.number}: ${row.title} …`);
    const verdict = await playRow({ row, servers, seed, scale, source });
    tell(verdict);
    if (verdict.verdict === 'pass') passed += 1;
  }
  log(`${passed} of ${chosen.length} rows passed`);
  return passed === chosen.length;
}

async function playControls(): Promise<boolean> {
  let failed = 0;
  const chosen = new Set(chooseRows().map(({ number }) => number));
  const played = controls.filter((control) => chosen.has(control.row));
  for (const control of played) {
    const row = rows.find(({ number }) => number === control.row);
    if (row === undefined) throw new Error(`there is no row ${control.row}`);
    log(`control ${control.mutation.name}, row ${row.number}: must fail …`);
    const source = copySource({ mutation: control.mutation, isCommitted });
    const verdict = await playRow({
      row,
      servers,
      seed,
      scale: Math.min(scale, control.scale ?? 1),
      source,
      control: control.mutation.name,
    });
    tell(verdict);
    if (verdict.verdict === 'fail' && verdict.error === undefined) failed += 1;
  }
  log(`${failed} of ${played.length} controls failed, as they must`);
  return failed === played.length;
}

function tell(verdict: Verdict): void {
  const isKept = scale === 1;
  const file = writeVerdict(verdict, { isKept });
  if (isKept) writeReport();
  log(`  ${verdict.verdict.toUpperCase()} in ${verdict.seconds} s  ${JSON.stringify(verdict.figures)}`);
  for (const { name, seen, ok } of verdict.proofs) log(`  ${ok ? 'proof' : 'NO EFFECT'}: ${name}: ${seen}`);
  for (const { name, bar, seen, ok } of verdict.checks)
    if (!ok) log(`  MISSED: ${name}: ${seen} (bar ${bar})`);
  if (verdict.error !== undefined) log(`  BROKE OFF: ${verdict.error}`);
  log(`  ${file}`);
}
