// The real programs with the benchmark's application.

import { join } from 'node:path';
import type { Place, Stage, Started } from '../stage/stage.ts';
import { root } from '../stage/stage.ts';

const WARREN_APP = join(root, 'bench/work/app.ts');

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
      }),
    ),
  );
}

export async function startApi(stage: Stage, place: Place): Promise<Started> {
  return await stage.start({ name: 'api', file: 'src/api/main.ts', env: settings(place) });
}

function settings({ databaseUrl, amqpUrl }: Place): Record<string, string> {
  return { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, WARREN_APP };
}
