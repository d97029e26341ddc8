// A report as Markdown: what is committed is what is printed. Pure.
import { formatFigure } from './figure.ts';
import type { Bar, Report, Section, Table } from './report.ts';
import { holds } from './report.ts';

export function renderReport(report: Report): string {
  const parts = [
    `# ${report.title}`,
    `\`${report.command}\`, ${describeFacts(report)}`,
    ...report.notes,
    ...(report.bars.length === 0 ? [] : [renderTable(barsTable(report.bars))]),
    ...report.sections.flatMap((section) => renderSection(report.name, section)),
    `## Durability\n\n${describeDurability(report)}`,
  ];
  return `${parts.join('\n\n')}\n`;
}

export function barsTable(bars: readonly Bar[]): Table {
  return {
    columns: [{ title: 'what' }, { title: 'bar' }, { title: 'measured' }, { title: 'holds' }],
    rows: bars.map((bar) => [
      bar.what,
      `${bar.demand === 'at least' ? '≥' : '≤'} ${barFigure(bar, bar.limit)}`,
      barFigure(bar, bar.measured),
      holds(bar) ? 'yes' : '**no**',
    ]),
  };
}

/** The columns are as wide as their longest cell, so that it can be read in a terminal too. */
export function renderTable({ columns, rows }: Table): string {
  const lines = rows.map((row) =>
    columns.map(({ digits }, index) => {
      const cell = row[index] ?? null;
      return typeof cell === 'number' ? formatFigure(cell, digits) : (cell ?? '–');
    }),
  );
  const isFigure = columns.map((_, index) => rows.some((row) => typeof row[index] === 'number'));
  const widths = columns.map(({ title }, index) =>
    Math.max(3, title.length, ...lines.map((line) => line[index]?.length ?? 0)),
  );
  const renderLine = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => pad(cell, widths[index] ?? 0, isFigure[index] ?? false)).join(' | ')} |`;
  const rule = widths.map((width, index) =>
    isFigure[index] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  );
  return [renderLine(columns.map(({ title }) => title)), renderLine(rule), ...lines.map(renderLine)].join(
    '\n',
  );
}

function renderSection(name: string, { title, note, table, text, plot }: Section): string[] {
  return [
    `## ${title}`,
    ...(note === undefined ? [] : [note]),
    ...(table === undefined ? [] : [renderTable(table)]),
    ...(text === undefined ? [] : [`\`\`\`\n${text.trimEnd()}\n\`\`\``]),
    ...(plot === undefined ? [] : [`![${plot.title}](${name}-${plot.name}.svg)`]),
  ];
}

function barFigure({ unit, digits = 2 }: Bar, value: number): string {
  return `${formatFigure(value, digits)}${unit === undefined ? '' : ` ${unit}`}`;
}

function describeFacts({ facts }: Report): string {
  const versions = Object.entries(facts.versions).map(([name, version]) => `${name} ${version}`);
  return `${facts.date.slice(0, 10)}, commit ${facts.commit}, ${facts.cpus} × ${facts.cpu}, ${facts.memoryGiB} GiB; ${versions.join(', ')}`;
}

function describeDurability({ facts }: Report): string {
  return Object.entries(facts.durability)
    .map(([name, promise]) => `- ${name}: ${promise}`)
    .join('\n');
}

function pad(cell: string, width: number, right: boolean): string {
  return right ? cell.padStart(width) : cell.padEnd(width);
}
