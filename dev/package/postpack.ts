// After `npm pack`: the repository has its own manifest again.
import { resolve } from 'node:path';
import { restoreManifest } from './saved-manifest.ts';

restoreManifest(resolve(import.meta.dirname, '../..'));
