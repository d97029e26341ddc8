// The folder bench/results/: a JSON file, a Markdown page and the plots of each report, and one page with every bar.
// Guarantees: what a report of the same name has left there before is replaced, nothing else is touched.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { barsTable, renderReport, renderTable } from './markdown.ts';
import { drawPlot } from './plot.ts';
import type { Report } from './report.ts';

export const resultsFolder = resolve(import.meta.dirname, '../results');

/** Returns the Markdown page, to be printed. */
export function writeReport(report: Report, folder = resultsFolder): string {
  mkdirSync(folder, { recursive: true });
  const plots = report.sections.flatMap(({ plot }) => (plot === undefined ? [] : [plot]));
  for (const file of ownPlots(report, folder)) rmSync(join(folder, file));
  for (const plot of plots) writeFileSync(join(folder, `${report.name}-${plot.name}.svg`), drawPlot(plot));
  const page = renderReport(report);
  writeFileSync(join(folder, `${report.name}.md`), page);
  writeFileSync(join(folder, `${report.name}.json`), `${JSON.stringify(report, undefined, 2)}\n`);
  writeOverview(folder);
  return page;
}

/** The plots of the report that is there now, by its own account: another report's name may begin like this one's. */
function ownPlots({ name }: Report, folder: string): string[] {
  const [former] = readReports(folder, `${name}.json`);
  const plots = former?.sections.flatMap(({ plot }) =>
    plot === undefined ? [] : [`${name}-${plot.name}.svg`],
  );
  return plots?.filter((file) => globSync(file, { cwd: folder }).length > 0) ?? [];
}

function writeOverview(folder: string): void {
  const sections = readReports(folder, '*.json').map((report) => {
    const bars = report.bars.length === 0 ? 'No bar is set.' : renderTable(barsTable(report.bars));
    const { date, commit } = report.facts;
    return `## [${report.title}](${report.name}.md)\n\n\`${report.command}\`, ${date.slice(0, 10)}, commit ${commit}\n\n${bars}\n`;
  });
  const page = [
    '# Measured\n\nWritten by the benchmarks. Each line is a bar, and what was measured.\n',
    ...sections,
  ];
  writeFileSync(join(folder, 'README.md'), page.join('\n'));
}

function readReports(folder: string, pattern: string): Report[] {
  return globSync(pattern, { cwd: folder })
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Report);
}
