// Where the repository's manifest lies while `npm pack` reads the published one in its place.
import { existsSync, renameSync } from 'node:fs';
import { resolve } from 'node:path';

export const manifestPath = (root: string) => resolve(root, 'package.json');
export const savedPath = (root: string) => resolve(root, 'node_modules/.manifest-of-the-repository.json');

export function restoreManifest(root: string): void {
  if (existsSync(savedPath(root))) renameSync(savedPath(root), manifestPath(root));
}
