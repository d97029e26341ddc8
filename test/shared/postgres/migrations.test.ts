import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('../../../src/shared/postgres/migrate/migrations/', import.meta.url);
const files = readdirSync(folder).sort();

test('each migration has a number of its own, and is named for what it does', () => {
  expect(files.length).toBeGreaterThan(0);
  for (const name of files) expect(name).toMatch(/^\d{4}-[a-z][a-z0-9-]*\.sql$/);
  expect(new Set(files.map((name) => Number.parseInt(name, 10))).size).toBe(files.length);
});

test.each(files)('%s can be applied as one transaction', (name) => {
  const statements = withoutComments(readFileSync(new URL(name, folder), 'utf8'));
  expect(statements.trim()).toMatch(/;$/); // its entry in warren.migrations comes after it
  expect(statements).not.toMatch(/\b(begin|commit|rollback|concurrently|vacuum)\b/i);
});

/** Bodies of functions, whose `begin` opens a block, are left out too. */
function withoutComments(text: string): string {
  return text.replaceAll(/--.*$/gm, '').replaceAll(/\$\$[\s\S]*?\$\$/g, "''");
}
