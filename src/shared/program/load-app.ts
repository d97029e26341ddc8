/**
 * Loads the application that a program runs: a module that exports it as `app`.
 *
 * Guarantees: whatever is wrong is one readable line, with its place where Node tells it; the application knows its module afterwards, for what
 * imports it elsewhere.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { errorMessage, Misconfigured } from '../base/errors.ts';
import type { App } from '../job/app.ts';

const ownSources = new URL('../../', import.meta.url).href;

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
    throw new Misconfigured(
      `the application ${module} cannot be loaded (WARREN_APP): ${describe(error, module, specifier)}`,
    );
  }
}

function toSpecifier(module: string): string {
  if (URL.canParse(module)) return module;
  const path = resolve(module);
  return /^[./]/.test(module) || existsSync(path) ? pathToFileURL(path).href : module;
}

/** In one line, with the place of the fault: whoever wrote the application has no other. */
function describe(error: unknown, module: string, specifier: string): string {
  if (isAway(specifier)) return `there is no file ${fileURLToPath(specifier)}`;
  const [reason] = errorMessage(error).split('\n');
  if (isOfOlderNode(error))
    return `${reason} (from 22.18 on Node runs TypeScript; this is ${process.version})`;
  const name = packageOf(specifier);
  if (isAwayPackage(error, name)) return `there is neither a file ${resolve(module)} nor a package ${name}`;
  const place = placeOf(error);
  if (place !== undefined) return `${reason} (${place})`;
  // Node keeps the place of a syntax error in JavaScript to itself until it prints it.
  return error instanceof SyntaxError ? `${reason} ("node ${module}" shows where)` : `${reason}`;
}

function isAway(specifier: string): boolean {
  return specifier.startsWith('file:') && !existsSync(fileURLToPath(specifier));
}

/** `shop` of `shop/app`, `@acme/shop` of `@acme/shop/app`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Not where the application itself imports something that is not there. */
function isAwayPackage(error: unknown, name: string): boolean {
  const { code, message } = Object(error) as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && `${message}`.includes(`Cannot find package '${name}'`);
}

/** A `.ts` that this Node does not run; a package may never have one. */
function isOfOlderNode(error: unknown): boolean {
  const { code, message } = Object(error) as NodeJS.ErrnoException;
  return code === 'ERR_UNKNOWN_FILE_EXTENSION' && /"\.[cm]?ts"/.test(`${message}`);
}

/** The first line of a file that is not Warren's own, as the stack tells it: `file:///…/app.ts:3:7`. */
function placeOf(error: unknown): string | undefined {
  const { stack } = Object(error) as Partial<Error>;
  const places = `${stack}`.match(/file:\/\/[^\s()]+:\d+/g) ?? [];
  return places.find((place) => !place.startsWith(ownSources));
}

function isApp(exported: unknown): exported is App {
  const { queues, definitions } = Object(exported) as Partial<App>;
  return queues instanceof Map && definitions instanceof Map;
}
