// The Warrens that a benchmark compares: the one of this checkout and, as "Warren before", the one of an older commit, in a checkout of its own
// with its own packages and schema. What looks into its tables and queues is imported from its checkout: it alone knows them.
// Guarantees: both run on the same Node and the same servers. The older checkout is kept below `.services` for the next run.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from '../../dev/command.ts';

export interface Warren {
  title: string;
  /** The folder with its `src` and `bench`. */
  checkout: string;
}

export const root = resolve(import.meta.dirname, '../..');
export const thisWarren: Warren = { title: 'Warren', checkout: root };

/** The option of the benchmarks that compare. */
export const before = {
  preset: '3dff1c4',
  meaning: 'commit that takes part as "Warren before", or none',
} as const;

const TIMEOUT_MS = 600_000;

/** Undefined for `none`. */
export async function warrenBefore(commit: string, log: (line: string) => void): Promise<Warren | undefined> {
  if (commit === 'none') return undefined;
  const found = await git('rev-parse', '--verify', '--quiet', `${commit}^{commit}`);
  if (found.status !== 0)
    throw new Error(`there is no commit ${commit} here; \`--before none\` leaves "Warren before" out`);
  const checkout = join(root, '.services', 'before', found.stdout.trim().slice(0, 12));
  const stamp = join(checkout, 'node_modules/.complete');
  if (!existsSync(stamp)) {
    log(`Warren before: checks ${commit} out and installs its packages`);
    rmSync(checkout, { recursive: true, force: true });
    await succeed('git', ['worktree', 'prune'], root);
    await succeed('git', ['worktree', 'add', '--detach', checkout, found.stdout.trim()], root);
    await succeed('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'], checkout);
    writeFileSync(stamp, '');
  }
  return { title: 'Warren before', checkout };
}

/** A module of that Warren's checkout, which is expected to offer what this one's offers. `file`: below the root of the checkout. */
export async function importFrom<Module>({ checkout }: Warren, file: string): Promise<Module> {
  return await import(pathToFileURL(join(checkout, file)).href);
}

/** How its programs come by the job types of a benchmark: as an application or, in a commit that knows none yet, by a preload. */
export function jobTypesOf(
  { checkout }: Warren,
  { app, preload }: { app: string; preload: string },
): { env: Record<string, string>; nodeArgs: string[] } {
  const file = join(checkout, app);
  return existsSync(file)
    ? { env: { WARREN_APP: file }, nodeArgs: [] }
    : { env: {}, nodeArgs: [`--import=${pathToFileURL(join(checkout, preload)).href}`] };
}

async function git(...args: string[]) {
  return await runCommand('git', args, { timeoutMs: TIMEOUT_MS, cwd: root });
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { status, stderr } = await runCommand(command, args, { timeoutMs: TIMEOUT_MS, cwd });
  if (status !== 0) throw new Error(`${command} ${args[0]}: ${stderr}`);
}
