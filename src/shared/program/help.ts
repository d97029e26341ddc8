/**
 * What a program answers to `--help`: what it is, and every setting with its default and meaning.
 */
import type { Setting } from '../settings/settings.ts';
import { settings } from '../settings/settings.ts';

export function programHelp(program: 'api' | 'worker'): string {
  return `node src/${program}/main.ts takes no arguments. Its settings are environment variables:\n\n${settingsHelp()}`;
}

/** Every setting with its default and meaning. */
export function settingsHelp(): string {
  const entries = Object.entries<Setting>(settings).map(([name, setting]) => {
    const preset = setting.default === undefined ? '' : ` (default ${setting.default})`;
    return `  ${name}${preset}\n      ${setting.meaning.replaceAll('`', '')}`;
  });
  return entries.join('\n\n');
}
