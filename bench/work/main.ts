// `npm run bench:work`: what a worker does with jobs, part by part. `--part a,b` plays some of them, `--scale 0.1` a tenth of everything.
// Each part writes a report of its own, where it was played at full scale. Some play "Warren before" in the same rounds (`--before`).
import { collectFacts } from '../report/facts.ts';
import { renderReport } from '../report/markdown.ts';
import { writeReport } from '../report/results.ts';
import { readOptions, runOnStage } from '../stage/command-line.ts';
import { othersShare, readMachineTime } from '../stage/processor-time.ts';
import { before, warrenBefore } from '../stage/warren.ts';
import type { Part } from './part.ts';
import { measureBurnDown } from './parts/burn-down.ts';
import { measureIdle } from './parts/idle.ts';
import { measureIsolation } from './parts/isolation.ts';
import { measureLatency } from './parts/latency.ts';
import { measureLifeCycle } from './parts/life-cycle.ts';
import { measureMemory } from './parts/memory.ts';
import { measureScaling } from './parts/scaling.ts';
import { measureTableSize } from './parts/table-size.ts';

const parts: ReadonlyMap<string, Part> = new Map([
  ['burn-down', measureBurnDown],
  ['life-cycle', measureLifeCycle],
  ['latency', measureLatency],
  ['isolation', measureIsolation],
  ['scaling', measureScaling],
  ['idle', measureIdle],
  ['memory', measureMemory],
  ['table-size', measureTableSize],
]);

const options = readOptions({
  name: 'npm run bench:work',
  about:
    'Measures what a worker does with jobs, part by part. A part that was played at full scale writes a report.',
  defaults: { part: [...parts.keys()].join(','), scale: '1', before: before.preset },
  meanings: {
    part: 'which parts, separated by commas',
    scale: '0.1 plays a tenth of everything',
    before: `${before.meaning}; in burn-down and life-cycle`,
  },
});
const scale = Number(options.scale);

await runOnStage('bench', async (stage, log) => {
  const facts = await collectFacts({
    servers: stage.services,
    durability: {
      Warren:
        'rows and outcomes committed with fsync, claims without waiting for it, messages in quorum queues, acknowledged after the record is committed',
    },
  });
  const older = await warrenBefore(options.before, log);
  const isKept = scale === 1 && options.before === before.preset;
  for (const name of options.part.split(',')) {
    const part = parts.get(name);
    if (part === undefined)
      throw new Error(`there is no part "${name}"; there are ${[...parts.keys()].join(', ')}`);
    const started = readMachineTime();
    const report = await part({ stage, facts, log, scale, before: older });
    const others = `Processes of others took ${Math.round(othersShare(started, readMachineTime()) * 100)} % of the processors meanwhile.`;
    const complete = { ...report, notes: [...report.notes, others] };
    process.stdout.write(isKept ? writeReport(complete) : renderReport(complete));
  }
});
