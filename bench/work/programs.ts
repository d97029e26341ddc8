// The real programs with the benchmark's job types in their registry.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Place, Stage, Started } from '../stage/stage.ts';
import { IMAGE_ARGS, root } from '../stage/stage.ts';

const nodeArgs = [...IMAGE_ARGS, `--import=${pathToFileURL(join(root, 'bench/work/preload.ts')).href}`];

/** `queues`: its WORKER_QUEUES. Defaults to the worker's own default. */
export async function startWorkers(
  stage: Stage,
  { place, count = 1, queues }: { place: Place; count?: number; queues?: string },
): Promise<Started[]> {
  const env = { ...settings(place), ...(queues === undefined ? {} : { WORKER_QUEUES: queues }) };
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return await Promise.all(
    numbers.map((number) =>
      stage.start({
        name: `worker-${number}`,
        file: 'src/worker/main.ts',
        portSetting: 'WORKER_HEALTH_PORT',
        readyPath: '/readyz',
        env,
        nodeArgs,
      }),
    ),
  );
}

export async function startApi(stage: Stage, place: Place): Promise<Started> {
  return await stage.start({ name: 'api', file: 'src/api/main.ts', env: settings(place), nodeArgs });
}

function settings({ databaseUrl, amqpUrl }: Place): Record<string, string> {
  return { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl };
}
