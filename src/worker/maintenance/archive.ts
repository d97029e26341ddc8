/**
 * Where jobs go before they are deleted: to the application's `archive`, and as lines of JSON to the file `ARCHIVE_FILE`.
 *
 * Guarantees: it resolves when everybody has taken the jobs, so that nothing is deleted that was not archived; the file is on disk then. A job may be
 * archived more than once (the deletion after it may fail), and a line that a crash has torn is ended before the next is written. What a job type redacts
 * is redacted here, too. Every wait has a deadline.
 */
import { open } from 'node:fs/promises';
import { withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Job } from '#shared/job/job.ts';
import { redactJob } from '#shared/job/redaction.ts';

/** What one hand-over may take, in milliseconds. */
const DEADLINE_MS = 10_000;
const LINE_END = 0x0a;

/** Rejects where somebody has not taken them. */
export type Archive = (jobs: readonly Job[]) => Promise<void>;

/** Undefined: nothing is archived. */
export function createArchive(
  { archive, definitions }: App,
  { archiveFile }: { archiveFile: string | undefined },
): Archive | undefined {
  if (archive === undefined && archiveFile === undefined) return undefined;
  return async (jobs) => {
    const shown = jobs.map((job) => redactJob(job, definitions.get(job.type)));
    const signal = AbortSignal.timeout(DEADLINE_MS);
    if (archive !== undefined) await inTime(Promise.resolve(archive(shown, { signal })));
    if (archiveFile !== undefined) await inTime(appendLines(archiveFile, shown));
  };
}

async function inTime(taken: Promise<void>): Promise<void> {
  await withDeadline(
    taken,
    DEADLINE_MS,
    () => new Unavailable('archive_timeout', `the archive did not take the jobs within ${DEADLINE_MS} ms`),
  );
}

async function appendLines(path: string, jobs: readonly Job[]): Promise<void> {
  await using file = await open(path, 'a+');
  const { size } = await file.stat();
  const last = size === 0 ? undefined : (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer[0];
  const isTorn = last !== undefined && last !== LINE_END;
  await file.appendFile(`${isTorn ? '\n' : ''}${jobs.map((job) => `${JSON.stringify(job)}\n`).join('')}`);
  await file.datasync();
}
