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
import { Encryption } from '../job/encryption.ts';
import type { Retention } from '../job/job.ts';
import { commandSettings } from './command-settings.ts';
import { readSecretFiles } from './secret-files.ts';
import type { Setting, Settings } from './settings.ts';
import { settings } from './settings.ts';
import type { QueueChannels } from './worker-queues.ts';

export interface Config {
  databaseUrl: string;
  /** Undefined: `databaseUrl` leads to Postgres itself. Otherwise to a PgBouncer in transaction mode, and this one past it. */
  databaseDirectUrl: string | undefined;
  amqpUrl: string;
  queueType: 'quorum' | 'classic';
  poolMin: number;
  poolMax: number;
  jobsPoolMax: number;
  host: string;
  port: number;
  /** Undefined: no gRPC server. */
  grpcPort: number | undefined;
  apiToken: string | undefined;
  tokensFile: string | undefined;
  /** The `Host` headers that the API answers, beside those of this machine. Undefined: all. */
  apiHosts: ReadonlySet<string> | undefined;
  apiDrainMs: number;
  /** How many may watch events in one process. */
  eventWatchersMax: number;
  apiBodyBytes: number;
  publisherChannels: number;
  workerQueues: readonly QueueChannels[];
  workerArgsMaxBytes: number;
  workerHealthPort: number;
  drainTimeoutMs: number;
  /** What a worker program has done when it is to be replaced; undefined: never for that reason. */
  renewAfter: { jobs: number | undefined; memoryMb: number | undefined; ms: number | undefined };
  retention: Retention;
  idempotencyKeyMs: number;
  /** Null: for ever. */
  auditMs: number | null;
  /** Undefined: none. */
  archiveFile: string | undefined;
  podUrl: string | undefined;
  logLevel: LogLevel;
  /** With `{traceId}` in it. Undefined: nobody knows where traces are looked at. */
  traceUrlTemplate: string | undefined;
  webhookAllowPrivate: boolean;
  webhookAllowedDestinations: readonly string[];
  webhookNameservers: readonly string[];
  webhookSecrets: readonly string[];
  encryption: Encryption;
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

/** What the command `warren` works on. */
export type CommandTarget =
  | { kind: 'api'; url: string; token: string | undefined }
  | { kind: 'servers'; databaseUrl: string; amqpUrl: string; settings: Record<string, string> };

/** An API, where one is named, by `url` or in the environment; else the servers themselves. Throws `Misconfigured`. */
export function readCommandTarget(
  url: string | undefined,
  variables: NodeJS.ProcessEnv = process.env,
): CommandTarget {
  const { environment, problems } = readSecretFiles(variables);
  const read = (name: keyof typeof commandSettings): string | undefined => {
    const parsed = commandSettings[name].schema.safeParse(environment[name] || undefined);
    if (parsed.success) return parsed.data;
    throw new Misconfigured(`${name} ${explain(parsed.error)}`);
  };
  for (const name of ['WARREN_TOKEN', 'DATABASE_URL', 'AMQP_URL']) {
    const problem = problems.get(name);
    if (problem !== undefined) throw new Misconfigured(problem);
  }
  if (url !== undefined) environment['WARREN_URL'] = url;
  const apiUrl = read('WARREN_URL');
  if (apiUrl !== undefined) return { kind: 'api', url: apiUrl, token: read('WARREN_TOKEN') };
  const { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl } = environment;
  if (!databaseUrl)
    throw new Misconfigured('neither WARREN_URL nor DATABASE_URL is set: what shall be asked?');
  const given = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return { kind: 'servers', databaseUrl, amqpUrl: amqpUrl || 'none', settings: Object.fromEntries(given) };
}

/** What `warren doctor` has to go by where the settings of a program are wrong. */
export interface SettingsToDiagnose {
  /** Undefined where a worker would refuse them. */
  config: Config | undefined;
  problem: string | undefined;
  databaseUrl: string | undefined;
  managementUrl: string | undefined;
}

/** Throws nothing: what is wrong is what is looked for. */
export function readForDiagnosis(app: App, variables: NodeJS.ProcessEnv = process.env): SettingsToDiagnose {
  const { environment } = readSecretFiles(variables);
  const managementUrl = commandSettings.RABBITMQ_MANAGEMENT_URL.schema.safeParse(
    environment['RABBITMQ_MANAGEMENT_URL'] || undefined,
  );
  const databaseUrl = settings.DATABASE_URL.schema.safeParse(environment['DATABASE_URL']);
  const problems = managementUrl.success ? [] : [`RABBITMQ_MANAGEMENT_URL ${explain(managementUrl.error)}`];
  let config: Config | undefined;
  try {
    config = readConfig('worker', app, variables);
  } catch (error) {
    problems.unshift((error as Misconfigured).message);
  }
  return {
    config,
    problem: problems.length === 0 ? undefined : problems.join('; '),
    databaseUrl: databaseUrl.data,
    managementUrl: managementUrl.data,
  };
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
  const encrypted = [...app.definitions.values()].filter((definition) => definition.encrypted === true);
  if (encrypted.length > 0 && values.ENCRYPTION_KEYS === undefined)
    problems.push(`ENCRYPTION_KEYS is required: job type "${encrypted[0]?.type}" is encrypted`);
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
    queueType: values.RABBITMQ_QUEUE_TYPE,
    poolMin: values.DATABASE_POOL_MIN,
    poolMax: values.DATABASE_POOL_MAX,
    jobsPoolMax: values.JOBS_POOL_MAX,
    host: values.HOST,
    port: values.PORT,
    grpcPort: values.GRPC_PORT,
    apiToken: values.API_TOKEN,
    tokensFile: values.TOKENS_FILE,
    apiHosts: answeredHosts(values),
    apiDrainMs: values.API_DRAIN_MS,
    apiBodyBytes: values.API_BODY_BYTES,
    eventWatchersMax: values.EVENT_WATCHERS_MAX,
    publisherChannels: values.PUBLISHER_CHANNELS,
    workerQueues: values.WORKER_QUEUES ?? [...queues].map(([queue, options]) => ({ queue, ...options })),
    workerArgsMaxBytes: values.WORKER_ARGS_MAX_BYTES,
    workerHealthPort: values.WORKER_HEALTH_PORT,
    drainTimeoutMs: values.DRAIN_TIMEOUT_MS,
    renewAfter: {
      jobs: values.WORKER_RENEW_AFTER_JOBS,
      memoryMb: values.WORKER_RENEW_AFTER_MB,
      ms: values.WORKER_RENEW_AFTER_MS,
    },
    retention: {
      completed: values.RETENTION_COMPLETED_DAYS,
      cancelled: values.RETENTION_CANCELLED_DAYS,
      discarded: values.RETENTION_DISCARDED_DAYS,
    },
    idempotencyKeyMs: values.IDEMPOTENCY_KEY_HOURS * 3_600_000,
    auditMs: values.RETENTION_AUDIT_DAYS,
    archiveFile: values.ARCHIVE_FILE,
    podUrl: values.POD_URL,
    logLevel: values.LOG_LEVEL,
    traceUrlTemplate: values.TRACE_URL_TEMPLATE,
    webhookAllowPrivate: values.WEBHOOK_ALLOW_PRIVATE,
    webhookAllowedDestinations: values.WEBHOOK_ALLOWED_DESTINATIONS,
    webhookNameservers: values.WEBHOOK_NAMESERVERS,
    webhookSecrets: values.WEBHOOK_SECRET ?? [],
    encryption: new Encryption(values.ENCRYPTION_KEYS),
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
