/**
 * The indexes that the migrations leave behind, read from their own texts, so that there is no list that could be forgotten.
 */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('./migrations/', import.meta.url);
const STATEMENTS =
  /^(?:create (?:unique )?index (?<made>\w+) on warren\.|drop index (?:if exists )?warren\.(?<dropped>\w+))/gm;

export function expectedIndexes(): string[] {
  const names = new Set<string>();
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
  files.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  for (const file of files)
    for (const { groups } of readFileSync(new URL(file, FOLDER), 'utf8').matchAll(STATEMENTS)) {
      if (groups?.['made'] !== undefined) names.add(groups['made']);
      if (groups?.['dropped'] !== undefined) names.delete(groups['dropped']);
    }
  return [...names];
}
