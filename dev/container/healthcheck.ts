// The images' HEALTHCHECK: `healthcheck.ts api` or `healthcheck.ts worker` asks the program of its container whether it lives. Exit code 0 or 1.
// Kubernetes has probes of its own and never runs it. The ports' defaults are those of src/shared/settings/config.ts, which would want every setting.
import { readEnvironment } from '../environment.ts';

const timeoutMs = 2_000;

const { inherited } = readEnvironment();
const port =
  process.argv[2] === 'worker' ? (inherited['WORKER_HEALTH_PORT'] ?? '9090') : (inherited['PORT'] ?? '3000');
try {
  const { ok } = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(timeoutMs) });
  process.exitCode = ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
