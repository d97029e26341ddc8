/**
 * `count-report`: counts one report in Valkey, those that run at the same moment by one call.
 */
import type { JobContext } from 'warren/app';
import { Batcher, defineJob } from 'warren/app';
import type { NumberedReport } from './counts.ts';
import { Counts } from './counts.ts';
import { report } from './report.ts';

export interface ReportCounter extends AsyncDisposable {
  count(counted: NumberedReport): Promise<void>;
}

export function createReportCounter(url: string): ReportCounter {
  const counts = new Counts(url);
  const calls = new Batcher<NumberedReport, void>({
    run: async (reports) => {
      await counts.add(reports);
      return reports.map(() => undefined);
    },
  });
  return {
    count: (counted) => calls.add(counted),
    [Symbol.asyncDispose]: () => counts[Symbol.asyncDispose](),
  };
}

export const countReport = defineJob({
  type: 'count-report',
  queue: 'weather',
  args: report,
  async perform(
    { country, weather },
    { jobId, services }: JobContext<{ counter: ReportCounter } & AsyncDisposable>,
  ) {
    await services.counter.count({ number: jobId, country, weather });
  },
});
