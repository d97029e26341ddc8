// Ends a run with one plain line, `N passed, N failed, N skipped`, that people and scripts can read.
// Whatever made the run fail counts as failed: a test, a file that could not be loaded, an error outside of any test.
// Before it, a line for each test that has passed only at a later try: it counts as passed, and is a bug all the same.
import { writeSync } from 'node:fs';

import type { Reporter, TestModule, TestResult } from 'vitest/node';

// Vitest loads a reporter through its default export.
// biome-ignore lint/style/noDefaultExport: the reporter contract of vitest
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const lines = [...flakeLines(modules), closingLine(modules, unhandledErrors.length)];
    // At exit, so that they come after the summary and after what the servers say while they stop.
    process.once('exit', () => writeSync(1, `${lines.join('\n')}\n`));
  }
}

/** What of vitest's TestModule is counted. */
export type CountedModule = {
  errors(): readonly unknown[];
  readonly children: { allTests(): Iterable<{ result(): { readonly state: TestResult['state'] } }> };
};

export function closingLine(modules: readonly CountedModule[], unhandledErrors: number): string {
  const count = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    if (module.errors().length > 0) count.failed += 1;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // Pending: the run was called off before it came to this test.
      count[state === 'pending' ? 'skipped' : state] += 1;
    }
  }
  return `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}

/** What of vitest's TestModule tells of later tries. */
export type TriedModule = {
  readonly relativeModuleId: string;
  readonly children: {
    allTests(): Iterable<{
      readonly fullName: string;
      diagnostic(): { readonly flaky: boolean } | undefined;
      result(): { readonly errors?: readonly { readonly message: string }[] | undefined };
    }>;
  };
};

/** Names the test, and what it said when it failed. */
export function flakeLines(modules: readonly TriedModule[]): string[] {
  const lines: string[] = [];
  for (const { relativeModuleId, children } of modules)
    for (const test of children.allTests()) {
      if (test.diagnostic()?.flaky !== true) continue;
      const [why = ''] = test.result().errors?.[0]?.message.split('\n') ?? [];
      lines.push(`passed only at its second try: ${relativeModuleId} > ${test.fullName}: ${why}`);
    }
  return lines;
}
