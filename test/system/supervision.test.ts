// `npm start` goes on when one of its programs is killed, and starts that one again.
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';

import { expect, test } from 'vitest';

import { freePorts } from '../../dev/free-port.ts';
import { waitUntil } from '../../dev/wait-until.ts';
import type { Program } from '../support/program.ts';
import { startFile } from '../support/program.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = '.services/test/supervision';

test('a killed worker and a killed API are started again, and jobs go on', { timeout: 240_000 }, async () => {
  await using database = await createDatabase({ migrated: false });
  await using vhost = await createVhost();
  const [port = 0] = await freePorts(1);
  const api = `http://127.0.0.1:${port}`;
  await using start = await startFile(
    'dev/start.ts',
    { DATABASE_URL: database.url, AMQP_URL: vhost.url, PORT: String(port) },
    ['--folder', folder],
  );
  await start.waitForText(/^Ctrl-C stops everything\.$/, { timeoutMs: 120_000 });
  expect(start.text.join('\n')).toContain(`ab -n 3000 -c 100 ${api}/api/test/1`);
  expect(start.text.join('\n')).toContain(vhost.url);

  for (const name of ['worker-1', 'worker-2']) {
    const from = start.text.length;
    process.kill(pidOf(start, name), 'SIGKILL');
    await start.waitForText(new RegExp(`^${name} has ended \\(SIGKILL\\)`), { from });
    await expectJobToComplete(api);
    await start.waitForText(new RegExp(`^${name} runs again`), { from });
  }

  const from = start.text.length;
  const [{ pid = 0 } = {}] = start.text.flatMap((line) => {
    const match = /connection=warren-api@[^ ]*:(\d+)/.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]) }];
  });
  process.kill(pid, 'SIGKILL');
  await start.waitForText(/^api runs again/, { from });
  await expectJobToComplete(api);

  start.signal('SIGINT');
  expect(await start.exited).toEqual({ code: 0, signal: null });
  expect(start.text.at(-1)).toBe('Everything that this started is stopped.');
  rmSync(resolve(root, folder), { recursive: true, force: true });
});

/** The one that it has now: every start is told with its number. */
function pidOf(start: Program, name: string): number {
  const pids = start.text.flatMap((line) => {
    const match = new RegExp(`^ *${name} .*\\(pid (\\d+)\\)`).exec(line);
    return match === null ? [] : [Number(match[1])];
  });
  const pid = pids.at(-1);
  if (pid === undefined) throw new Error(`no line names the process of ${name}`);
  return pid;
}

async function expectJobToComplete(api: string): Promise<void> {
  const { jobId } = await getJson<{ jobId: string }>(`${api}/api/test/7`);
  await waitUntil({
    what: `job ${jobId}`,
    check: async () => {
      const { job } = await getJson<{ job: { state: string } }>(`${api}/v1/jobs/${jobId}`);
      return job.state === 'completed' || undefined;
    },
    timeoutMs: 60_000,
  });
}

/** Asked again while the API is away. */
async function getJson<T>(url: string): Promise<T> {
  return await waitUntil({
    what: url,
    check: async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    timeoutMs: 60_000,
  });
}
