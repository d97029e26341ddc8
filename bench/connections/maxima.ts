// What the settings allow a process to hold, by its name. Read from the same schemas as the programs' own settings. Pure.
// The settings are those of this command's environment: run it with what the fleet runs with.

import { settings } from '../../src/shared/settings/settings.ts';
import { app } from '../stage/shop.ts';

export interface Settings {
  poolMax: number;
  jobsPoolMax: number;
  publisherChannels: number;
  /** Consumers of a worker: the sum of its channels. */
  workerChannels: number;
}

export interface Maxima {
  database: number;
  connections: number;
  channels: number;
  consumers: number;
}

const shopQueues = [...app.queues].map(
  ([queue, { channels, prefetch }]) => `${queue}:${channels}:${prefetch}`,
);
const defaults = {
  DATABASE_POOL_MAX: settings.DATABASE_POOL_MAX.default,
  JOBS_POOL_MAX: settings.JOBS_POOL_MAX.default,
  PUBLISHER_CHANNELS: settings.PUBLISHER_CHANNELS.default,
  WORKER_QUEUES: shopQueues.join(),
};

type Name = keyof typeof defaults;

/** Throws one line where a setting is wrong. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const read = <Value>(name: Name, parse: (text: string) => { success: boolean; data?: Value }): Value => {
    const { success, data } = parse(environment[name] || defaults[name]);
    if (!success || data === undefined) throw new Error(`${name} is wrong: ${environment[name]}`);
    return data;
  };
  const queues = read('WORKER_QUEUES', (text) => settings.WORKER_QUEUES.schema.safeParse(text));
  return {
    poolMax: read('DATABASE_POOL_MAX', (text) => settings.DATABASE_POOL_MAX.schema.safeParse(text)),
    jobsPoolMax: read('JOBS_POOL_MAX', (text) => settings.JOBS_POOL_MAX.schema.safeParse(text)),
    publisherChannels: read('PUBLISHER_CHANNELS', (text) =>
      settings.PUBLISHER_CHANNELS.schema.safeParse(text),
    ),
    workerChannels: queues?.reduce((sum, { channels }) => sum + channels, 0) ?? 0,
  };
}

/** A worker holds one connection beside its pools: `warren-worker@host:7 presence`. */
const PRESENCE = 1;
/** A passing channel that asks for the depths of the queues, or declares them. */
const QUESTION = 1;
/** A worker's relay publishes on a connection of its own, with one channel. */
const RELAY = 1;
/** A worker runs suspicious jobs in up to four processes of one name, each with a pool of two. */
const QUARANTINE_POOLS = 4 * 2;

/** Undefined for what is none of ours. */
export function maximaOf(
  process: string,
  { poolMax, jobsPoolMax, publisherChannels, workerChannels }: Settings,
): Maxima | undefined {
  if (/ quarantin?e?$/.test(process))
    // Postgres cuts names at 63 bytes
    return { database: QUARANTINE_POOLS, connections: 0, channels: 0, consumers: 0 };
  if (process.startsWith('warren-api@'))
    return { database: poolMax, connections: 1, channels: publisherChannels + QUESTION, consumers: 0 };
  if (process.startsWith('warren-worker@'))
    return {
      database: poolMax + jobsPoolMax + PRESENCE,
      connections: 1 + RELAY,
      channels: workerChannels + QUESTION + RELAY + QUESTION,
      consumers: workerChannels,
    };
  return undefined;
}

/** `warren-worker@host:7` of its presence connection and those of its handlers; any other name as it is. */
export function processOf(name: string): string {
  return name.replace(/ (presence|jobs)$/, '');
}
