// A real browser for the tests of pages: Chromium without a window, driven by playwright-core. It is installed from the distribution where it is missing
// and can be; where it cannot, `findBrowserObstacle` says so, and the tests are skipped with that reason.
// Guarantees: the browser ends when it is disposed of, and with the test run: it reads its commands from a pipe of this process.
// Knows no page. playwright-core and not playwright, which brings a test runner and wants a browser of its own download.
import { tmpdir } from 'node:os';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { runCommand } from '../../dev/command.ts';
import { inspectDistribution } from '../../dev/services/machine.ts';
import { installPackages } from '../../dev/services/packages.ts';
import { HANG_MS } from './eventually.ts';

const versionTimeoutMs = 60_000;
/** Debian calls it `chromium`. A person's own Chrome will do, too. */
const names = ['chromium', 'google-chrome', 'google-chrome-stable'];

/** Resolves with nothing where a browser runs. */
export async function findBrowserObstacle(): Promise<string | undefined> {
  if ((await findCommand()) !== undefined) return undefined;
  const { canInstall } = await inspectDistribution(runCommand);
  if (!canInstall) return 'Chromium is missing, and only Debian or Ubuntu with root can install it here';
  await installPackages({
    packages: ['chromium'],
    run: runCommand,
    log: (line) => process.stderr.write(`${line}\n`),
  });
  return (await findCommand()) === undefined ? 'the package chromium has brought no browser' : undefined;
}

export interface TestBrowser extends AsyncDisposable {
  /** An empty page of one person: nobody else has its cookies. Waits on it fail after `HANG_MS`. JavaScript is on by default. */
  open(options?: BrowserContextOptions): Promise<Page>;
  /** What scripts of its pages threw, and what the browser refused to run or could not load. */
  errors: readonly string[];
}

export async function startBrowser(): Promise<TestBrowser> {
  const executablePath = await findCommand();
  if (executablePath === undefined) throw new Error('there is no browser: ask findBrowserObstacle first');
  const browser = await chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0, // Chromium refuses to run sandboxed as root
    timeout: HANG_MS,
    env: { PATH: '/usr/bin:/bin', HOME: tmpdir() },
  });
  const errors: string[] = [];
  const open = async (options: BrowserContextOptions = {}): Promise<Page> => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(HANG_MS);
    const page = await context.newPage();
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('console', (entry) => {
      if (entry.type() === 'error') errors.push(entry.text());
    });
    return page;
  };
  return { open, errors, [Symbol.asyncDispose]: async () => browser.close() };
}

/** The path of the first that runs. */
async function findCommand(): Promise<string | undefined> {
  for (const name of names) {
    const { status, stdout } = await runCommand('sh', ['-c', `command -v ${name} && ${name} --version`], {
      timeoutMs: versionTimeoutMs,
    });
    if (status === 0) return stdout.split('\n')[0];
  }
  return undefined;
}
