// The real programs with the benchmark's job types, and who fills and watches their place: of this Warren, or of an older one.

import type { Place, Stage, Started } from '../stage/stage.ts';
import { IMAGE_ARGS } from '../stage/stage.ts';
import type { Warren } from '../stage/warren.ts';
import { importFrom, jobTypesOf, thisWarren } from '../stage/warren.ts';
import type { Backlog } from './backlog.ts';
import type { PartOptions } from './part.ts';

export interface WorkersOptions {
  place: Place;
  /** Defaults to this one. */
  warren?: Warren;
  count?: number;
  /** Their WORKER_QUEUES. Defaults to the worker's own default. */
  queues?: string;
  /** Further settings. Defaults to none. */
  settings?: Readonly<Record<string, string>>;
}

export async function startWorkers(
  stage: Stage,
  { place, warren = thisWarren, count = 1, queues, settings = {} }: WorkersOptions,
): Promise<Started[]> {
  const { env, ...program } = programOf(warren, place);
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  return await Promise.all(
    numbers.map((number) =>
      stage.start({
        ...program,
        name: `worker-${number}`,
        file: 'src/worker/main.ts',
        portSetting: 'WORKER_HEALTH_PORT',
        env: { ...env, ...settings, ...(queues === undefined ? {} : { WORKER_QUEUES: queues }) },
      }),
    ),
  );
}

export async function startApi(
  stage: Stage,
  place: Place,
  warren = thisWarren,
  settings: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const { env, ...program } = programOf(warren, place);
  return await stage.start({
    ...program,
    name: 'api',
    file: 'src/api/main.ts',
    env: { ...env, ...settings },
  });
}

/** A Warren with a place of its own. */
export interface Contender {
  warren: Warren;
  place: Place;
  backlog: Backlog;
}

/** This Warren and, where it takes part, Warren before. `opened`: closes their backlogs. */
export async function openContenders(
  { stage, before }: PartOptions,
  name: string,
  opened: AsyncDisposableStack,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const warren of [thisWarren, ...(before === undefined ? [] : [before])]) {
    const place = await stage.createPlace(warren === thisWarren ? name : `${name}_before`, { warren });
    const module = await importFrom<typeof import('./backlog.ts')>(warren, 'bench/work/backlog.ts');
    const backlog = await module.Backlog.open(place);
    opened.defer(() => backlog[Symbol.asyncDispose]());
    contenders.push({ warren, place, backlog });
  }
  return contenders;
}

function programOf(warren: Warren, { databaseUrl, amqpUrl }: Place) {
  const types = jobTypesOf(warren, { app: 'bench/work/app.ts', preload: 'bench/work/preload.ts' });
  return {
    checkout: warren.checkout,
    nodeArgs: [...IMAGE_ARGS, ...types.nodeArgs],
    env: { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, ...types.env },
  };
}
