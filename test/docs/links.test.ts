// The pages of documentation as a reader follows them: each link leads to a file, and to a heading of it where it names one.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const pages = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
const linking = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].concat(
  globSync('examples/*/*.md', { cwd: root }),
  pages.map((name) => `docs/${name}`),
);

const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** What is shown as code links to nothing. */
function links(text: string): string[] {
  const prose = text.replace(/^( *)```.*?^\1```/gms, '').replace(/`[^`\n]*`/g, 'code');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(text: string): string[] {
  const headings = text.replace(/^( *)```.*?^\1```/gms, '').matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

function leadsNowhere(page: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? page : join(dirname(page), file);
  if (!existsSync(join(root, path))) return true;
  return anchor !== undefined && !anchors(read(path)).includes(anchor);
}

test.each(linking)('every link of %s leads to a page, and to its heading', (page) => {
  const broken = links(read(page))
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => leadsNowhere(page, target));
  expect(broken).toEqual([]);
});

test('docs/features.md links the page of each feature', () => {
  const linked = links(read('docs/features.md'));
  expect(linked.length).toBeGreaterThan(40);
  expect(linked).toContain('schedules.md');
});

test('the README lists every page', () => {
  const listed = links(read('README.md'));
  expect(pages.filter((name) => !listed.includes(`docs/${name}`))).toEqual([]);
});
