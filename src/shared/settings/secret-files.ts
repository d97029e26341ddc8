/**
 * Secrets that stand in files instead of environment variables: NAME_FILE names the file that holds NAME. A file can be mounted for one container,
 * and does not show in `docker inspect`, in /proc or in the environment of child processes.
 *
 * Guarantees: what is wrong is told by the name of the variable and of the file, never by its content; nothing but a regular file is opened.
 */
import { readFileSync, statSync } from 'node:fs';
import { errorMessage } from '../base/errors.ts';
import { commandSettings } from './command-settings.ts';
import { settings } from './settings.ts';

const MAX_BYTES = 65_536;

type Environment = Readonly<Record<string, string | undefined>>;

/** The environment with each secret under its own name. One whose file is of no use has its line in `problems`, by that name. */
export function readSecretFiles(given: Environment): {
  environment: Record<string, string | undefined>;
  problems: Map<string, string>;
} {
  const environment = { ...given };
  const problems = new Map<string, string>();
  for (const name of secretNames()) {
    const fileName = `${name}_FILE`;
    const path = given[fileName];
    delete environment[fileName];
    if (!path) continue;
    if (given[name]) problems.set(name, `${name} and ${fileName} are both set`);
    else
      try {
        environment[name] = readSecret(path);
      } catch (error) {
        problems.set(name, `${fileName} ${errorMessage(error instanceof Error ? error.message : error)}`);
      }
  }
  return { environment, problems };
}

export function secretNames(): string[] {
  const all = Object.entries({ ...settings, ...commandSettings });
  return all.flatMap(([name, setting]) => ('secret' in setting ? [name] : []));
}

/** Without the line feed with which most tools end a file. */
function readSecret(path: string): string {
  const stats = statSync(path);
  if (!stats.isFile()) throw new Error(`${path} is not a file`);
  if (stats.size > MAX_BYTES) throw new Error(`${path} is larger than ${MAX_BYTES} bytes`);
  const text = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  if (text === '') throw new Error(`${path} is empty`);
  return text;
}
