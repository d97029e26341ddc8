// docs/incident.md as a test plays it: what each heading says is seen, and the commands under it, in order.
import { readFileSync } from 'node:fs';

export interface PageSection {
  heading: string;
  /** Lines that the doctor says there. */
  seen: string[];
  /** Each block of commands or statements, as it stands there. */
  steps: string[];
}

/** The headings under which something is seen or done. */
export function incidentSections(): PageSection[] {
  const text = readFileSync(new URL('../../../docs/incident.md', import.meta.url), 'utf8');
  return text
    .split(/^#{2,3} /m)
    .slice(1)
    .map((part) => {
      const blocks = [...part.matchAll(/^```(\w*)\n(.*?)\n```$/gms)];
      for (const [, language = ''] of blocks)
        if (!['sh', 'sql', 'text'].includes(language))
          throw new Error(`a block of "${language}" is not played`);
      return {
        heading: part.split('\n')[0] ?? '',
        seen: blocks.flatMap(([, language, block = '']) => (language === 'text' ? block.split('\n') : [])),
        steps: blocks.flatMap(([, language, block = '']) => (language === 'text' ? [] : [block])),
      };
    })
    .filter(({ seen, steps }) => seen.length + steps.length > 0);
}

/** Whether this line of the page is one of the output: numbers and times may be others, `…` stands for anything. */
export function isLineOf(output: string, line: string): boolean {
  const pattern = line
    .split('…')
    .map((part) => generalize(part).replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    .join('.*');
  return output.split('\n').some((each) => new RegExp(`^${pattern}$`).test(generalize(each)));
}

function generalize(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME').replaceAll(/\d+/g, '0');
}
