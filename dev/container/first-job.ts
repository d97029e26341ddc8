// The demonstration in a cluster: one job through the API at API_URL. One line about it, or one about why not and exit code 1. SIGTERM: see migrate.ts.
import { readEnvironment } from '../environment.ts';
import { doOneJob } from './one-job.ts';

const timeoutMs = 10 * 60_000;

process.once('SIGTERM', () => process.exit(143));
const { inherited, apiToken } = readEnvironment();
try {
  const apiUrl = inherited['API_URL'];
  if (apiUrl === undefined) throw new Error('API_URL is not set');
  const log = (line: string) => process.stdout.write(`${line}\n`);
  log(await doOneJob({ apiUrl, apiToken, timeoutMs, log }));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
