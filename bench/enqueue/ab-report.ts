// A run as `ab` (ApacheBench) reports one, line for line, so that it can be laid beside the article's. Pure.
import type { Run } from './measure.ts';
import { PERCENTILES } from './measure.ts';

export function renderAbReport(run: Run): string {
  const facts: [string, string][] = [
    ['Concurrency Level:', String(run.connections)],
    ['Time taken for tests:', `${run.answeredSeconds.toFixed(3)} seconds`],
    ['Complete requests:', String(run.requests)],
    ['Failed requests:', String(run.failed)],
    ['Keep-Alive requests:', String(run.requests)],
    ['Requests per second:', `${(run.requests / run.answeredSeconds).toFixed(2)} [#/sec] (mean)`],
    ['  all confirmed:', `${run.perSecond.toFixed(2)} [#/sec] (mean)`],
    ['Time per request:', `${run.meanMs.toFixed(3)} [ms] (mean)`],
    [
      'Time per request:',
      `${((run.answeredSeconds / run.requests) * 1_000).toFixed(3)} [ms] (mean, across all concurrent requests)`,
    ],
  ];
  const served = PERCENTILES.map((percent) => {
    const longest = percent === 100 ? ' (longest request)' : '';
    return `${String(percent).padStart(5)}% ${run.percentilesMs[percent]?.toFixed(1).padStart(8)}${longest}`;
  });
  return [
    ...facts.map(([name, value]) => name.padEnd(24) + value),
    '',
    'Percentage of the requests served within a certain time (ms)',
    ...served,
  ].join('\n');
}
