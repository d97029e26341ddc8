/**
 * Loads the application that a program runs: a module that exports it as `app`.
 *
 * Guarantees: whatever is wrong is one readable line; the application knows its module afterwards, for the quarantine.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { errorMessage, Misconfigured } from '../base/errors.ts';
import type { App } from '../job/app.ts';

/** `module`: a path from the working directory on, a URL, or the name of a package. Throws `Misconfigured`. */
export async function loadApp(module: string): Promise<App> {
  const specifier = toSpecifier(module);
  const loaded = await load(module, specifier);
  if (!isApp(loaded.app))
    throw new Misconfigured(`${module} exports no "app" that defineApp has made (WARREN_APP)`);
  return { ...loaded.app, module: loaded.app.module ?? specifier };
}

async function load(module: string, specifier: string): Promise<{ app?: unknown }> {
  try {
    return await import(specifier);
  } catch (error) {
    const [reason] = errorMessage(error).split('\n');
    throw new Misconfigured(`the application ${module} cannot be loaded (WARREN_APP): ${reason}`);
  }
}

function toSpecifier(module: string): string {
  if (URL.canParse(module)) return module;
  const path = resolve(module);
  return /^[./]/.test(module) || existsSync(path) ? pathToFileURL(path).href : module;
}

function isApp(exported: unknown): exported is App {
  const { queues, definitions } = Object(exported) as Partial<App>;
  return queues instanceof Map && definitions instanceof Map;
}
