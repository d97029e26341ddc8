/**
 * An application as a value: its name, its queues and its job types. Warren is what runs one; nothing in Warren knows a particular application.
 *
 * Guarantees: what `defineApp` returns is consistent (every job type has a queue of the application, no type stands twice, every name fits its
 * pattern). Pure: nothing is registered anywhere, so that two applications live in one process and share nothing.
 */
import { Misconfigured } from '../base/errors.ts';
import type { JobDefinition } from './job.ts';

/** How many jobs of a queue a worker runs: on each of `channels` AMQP channels at most `prefetch` at once. */
export interface QueueOptions {
  /** 1 to 100. Defaults to 1. */
  channels?: number;
  /** 1 to 2000. Defaults to 10. */
  prefetch?: number;
}

export interface AppOptions {
  /** `[a-z0-9_-]{1,60}`, the same in every program of the application. */
  name: string;
  /** The queues by name (`[a-z0-9_-]{1,60}`). */
  queues: Readonly<Record<string, QueueOptions>>;
  // biome-ignore lint/suspicious/noExplicitAny: handlers take their own arguments; any list of job types fits here
  jobs: readonly JobDefinition<any, any>[];
}

export interface App {
  readonly name: string;
  readonly queues: ReadonlyMap<string, Required<QueueOptions>>;
  /** The job types by name. */
  readonly definitions: ReadonlyMap<string, JobDefinition>;
}

const NAME = /^[a-z0-9_-]{1,60}$/;
export const MAX_CHANNELS = 100;
export const MAX_PREFETCH = 2_000;

/** Whether it can be the name of a queue or an application. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/** Throws `Misconfigured` with all that is wrong in one line. */
export function defineApp({ name, queues, jobs }: AppOptions): App {
  const problems = [
    ...findNameProblems('application', [name]),
    ...findNameProblems('queue', Object.keys(queues)),
    ...Object.entries(queues).flatMap(([queue, options]) => findBoundProblems(queue, options)),
    ...findTypeProblems(jobs, queues),
  ];
  if (problems.length > 0) throw new Misconfigured(`the application is wrong: ${problems.join('; ')}`);
  return {
    name,
    queues: new Map(
      Object.entries(queues).map(([queue, { channels = 1, prefetch = 10 }]) => [
        queue,
        { channels, prefetch },
      ]),
    ),
    definitions: new Map(jobs.map((definition) => [definition.type, definition])),
  };
}

function findNameProblems(what: string, names: readonly string[]): string[] {
  return names
    .filter((name) => !isName(name))
    .map((name) => `"${name}" is no ${what} name: [a-z0-9_-]{1,60}`);
}

function findBoundProblems(queue: string, { channels = 1, prefetch = 1 }: QueueOptions): string[] {
  const isWithin = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  if (isWithin(channels, MAX_CHANNELS) && isWithin(prefetch, MAX_PREFETCH)) return [];
  return [`queue "${queue}" must have 1 to ${MAX_CHANNELS} channels and a prefetch of 1 to ${MAX_PREFETCH}`];
}

function findTypeProblems(jobs: AppOptions['jobs'], queues: AppOptions['queues']): string[] {
  const seen = new Set<string>();
  return jobs.flatMap(({ type, queue }) => {
    const problems = [];
    if (seen.has(type)) problems.push(`job type "${type}" stands twice`);
    if (!Object.hasOwn(queues, queue))
      problems.push(`job type "${type}" has queue "${queue}", which the application has not`);
    seen.add(type);
    return problems;
  });
}
