// Before `npm pack`: compiles the sources and puts the published manifest in the place of the repository's, which postpack.ts puts back.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { compile } from './compile.ts';
import { publishedManifest } from './manifest.ts';
import { manifestPath, restoreManifest, savedPath } from './saved-manifest.ts';

const root = resolve(import.meta.dirname, '../..');
if (existsSync(savedPath(root))) restoreManifest(root); // a pack that was interrupted
compile(root);
const text = readFileSync(manifestPath(root), 'utf8');
writeFileSync(savedPath(root), text);
writeFileSync(manifestPath(root), `${JSON.stringify(publishedManifest(JSON.parse(text)), null, 2)}\n`);
