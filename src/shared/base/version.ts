/**
 * Which version of the program this is, from package.json, which lies at another distance from the compiled files: hence by the package's name.
 */
import { createRequire } from 'node:module';

export const { version } = createRequire(import.meta.url)('warren/package.json') as { version: string };
