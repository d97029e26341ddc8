/**
 * The settings: environment variables only, read in this file only, by the table in
 * settings.ts. All that is wrong with them is reported together.
 */
import { hostname } from 'node:os';
import type { z } from 'zod';
import { Misconfigured } from '../base/errors.ts';
import type { LogLevel } from '../base/log-levels.ts';
import { isLoopback } from '../base/loopback.ts';
import type { App } from '../job/app.ts';
import type { Retention } from '../job/job.ts';
import { readSecretFiles } from './secret-files.ts';
import type { QueueChannels, Setting, Settings } from './settings.ts';
import { settings } from './settings.ts';

export interface Config {
  databaseUrl: string;
  /** Undefined: `databaseUrl` leads to Postgres itself. Otherwise to a PgBouncer in transaction mode, and this one past it. */
  databaseDirectUrl: string | undefined;
  amqpUrl: string;
  poolMin: number;
  poolMax: number;
  jobsPoolMax: number;
  host: string;
  port: number;
  apiToken: string | undefined;
  tokensFile: string | undefined;
  /** The `Host` headers that the API answers, beside those of this machine. Undefined: all. */
  apiHosts: ReadonlySet<string> | undefined;
  apiDrainMs: number;
  apiBodyBytes: number;
  publisherChannels: number;
  workerQueues: readonly QueueChannels[];
  workerArgsMaxBytes: number;
  workerHealthPort: number;
  drainTimeoutMs: number;
  retention: Retention;
  idempotencyKeyMs: number;
  podUrl: string | undefined;
  logLevel: LogLevel;
  webhookAllowPrivate: boolean;
  webhookAllowedDestinations: readonly string[];
  webhookNameservers: readonly string[];
  webhookSecrets: readonly string[];
}

/** Where the application is, which has to be there before the other settings can be read. */
export function readAppModule(variables: NodeJS.ProcessEnv = process.env): string {
  return variables['WARREN_APP'] || settings.WARREN_APP.default;
}

/** Where a migration runs: a session is needed, which a PgBouncer in transaction mode does not give. Throws `Misconfigured`. */
export function readMigrationUrl(variables: NodeJS.ProcessEnv = process.env): string {
  const { environment, problems } = readSecretFiles(variables);
  for (const name of ['DATABASE_DIRECT_URL', 'DATABASE_URL'] as const) {
    const problem = problems.get(name);
    if (problem !== undefined) throw new Misconfigured(problem);
    const text = environment[name];
    if (!text) continue;
    const parsed = settings[name].schema.safeParse(text);
    if (parsed.success && parsed.data !== undefined) return parsed.data;
    throw new Misconfigured(`${name} ${parsed.error === undefined ? 'is empty' : explain(parsed.error)}`);
  }
  throw new Misconfigured('DATABASE_URL is required');
}

/** Reads the settings of a program. Throws `Misconfigured` with one line that names every setting that is wrong. */
export function readConfig(
  program: 'api' | 'worker',
  app: App,
  variables: NodeJS.ProcessEnv = process.env,
): Config {
  const { environment, problems: fileProblems } = readSecretFiles(variables);
  const problems = [...fileProblems.values()];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    if (fileProblems.has(name)) continue;
    const text = environment[name] || setting.default; // an empty variable counts as not set
    const parsed = setting.schema.safeParse(text);
    if (parsed.success) values[name] = parsed.data;
    else problems.push(`${name} ${text === undefined ? 'is required' : explain(parsed.error)}`);
  }
  problems.push(...findContradictions(program, app, values));
  if (problems.length > 0) throw new Misconfigured(`the settings are wrong: ${problems.join('; ')}`);
  return toConfig(app, values as Settings);
}

/** `warren-api@<host>:<pid>`: the name of the process's connections in RabbitMQ and Postgres (which cuts names at 63 bytes). */
export function processName(program: 'api' | 'worker'): string {
  const maxHost = 63 - `warren-worker@:${process.pid} presence`.length;
  return `warren-${program}@${hostname().slice(0, maxHost)}:${process.pid}`;
}

/** What is wrong between settings that are right by themselves. One that is not is left out of account. */
function findContradictions(program: 'api' | 'worker', app: App, values: Partial<Settings>): string[] {
  const problems: string[] = [];
  for (const { queue } of values.WORKER_QUEUES ?? [])
    if (!app.queues.has(queue)) {
      const known = [...app.queues.keys()].join(', ');
      problems.push(`WORKER_QUEUES "${queue}" is no queue of the application: there are ${known}`);
    }
  const {
    DATABASE_POOL_MIN: min = 0,
    DATABASE_POOL_MAX: max = Number.POSITIVE_INFINITY,
    HOST: host = 'localhost',
  } = values;
  if (min > max) problems.push('DATABASE_POOL_MIN is above DATABASE_POOL_MAX');
  if (
    program === 'api' &&
    !isLoopback(host) &&
    values.API_TOKEN === undefined &&
    values.TOKENS_FILE === undefined &&
    values.API_AUTH !== 'none'
  ) {
    problems.push(
      `HOST ${host} is public: set API_TOKEN or TOKENS_FILE, or API_AUTH=none to let everybody in`,
    );
  }
  return problems;
}

function toConfig({ queues }: App, values: Settings): Config {
  return {
    databaseUrl: values.DATABASE_URL,
    databaseDirectUrl: values.DATABASE_DIRECT_URL,
    amqpUrl: values.AMQP_URL,
    poolMin: values.DATABASE_POOL_MIN,
    poolMax: values.DATABASE_POOL_MAX,
    jobsPoolMax: values.JOBS_POOL_MAX,
    host: values.HOST,
    port: values.PORT,
    apiToken: values.API_TOKEN,
    tokensFile: values.TOKENS_FILE,
    apiHosts: answeredHosts(values),
    apiDrainMs: values.API_DRAIN_MS,
    apiBodyBytes: values.API_BODY_BYTES,
    publisherChannels: values.PUBLISHER_CHANNELS,
    workerQueues: values.WORKER_QUEUES ?? [...queues].map(([queue, options]) => ({ queue, ...options })),
    workerArgsMaxBytes: values.WORKER_ARGS_MAX_BYTES,
    workerHealthPort: values.WORKER_HEALTH_PORT,
    drainTimeoutMs: values.DRAIN_TIMEOUT_MS,
    retention: {
      completed: values.RETENTION_COMPLETED_DAYS,
      cancelled: values.RETENTION_CANCELLED_DAYS,
      discarded: values.RETENTION_DISCARDED_DAYS,
    },
    idempotencyKeyMs: values.IDEMPOTENCY_KEY_HOURS * 3_600_000,
    podUrl: values.POD_URL,
    logLevel: values.LOG_LEVEL,
    webhookAllowPrivate: values.WEBHOOK_ALLOW_PRIVATE,
    webhookAllowedDestinations: values.WEBHOOK_ALLOWED_DESTINATIONS,
    webhookNameservers: values.WEBHOOK_NAMESERVERS,
    webhookSecrets: values.WEBHOOK_SECRET ?? [],
  };
}

/**
 * Without a token a page that gives its own name the server's address (DNS rebinding) could do everything. A public server cannot know its names
 * by itself; behind a token such a page gets nowhere.
 */
function answeredHosts(values: Settings): Config['apiHosts'] {
  const isOpen = values.API_TOKEN === undefined && values.TOKENS_FILE === undefined;
  return (isOpen && isLoopback(values.HOST)) || values.API_HOSTS.length > 0
    ? new Set(values.API_HOSTS)
    : undefined;
}

function explain(error: z.ZodError): string {
  return error.issues.map(({ message }) => message).join(', ');
}
