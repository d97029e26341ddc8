/**
 * The settings table: what each environment variable may hold, its default and what it means. config.ts reads them; docs/settings.md is made from
 * this table and checked against it.
 */
import { z } from 'zod';
import { nodeUrls } from '../base/amqp-url.ts';
import { logLevels } from '../base/log-levels.ts';
import { days } from './days.ts';
import { areNameservers } from './nameservers.ts';
import { encryptionKeys, webhookSecrets } from './secret-schemas.ts';
import { traceUrlTemplate } from './trace-url.ts';
import { workerQueues } from './worker-queues.ts';

const whole = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max));
/** A name or an address as URLs have it, IPv6 in brackets. */
const HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/;
const DESTINATION = /^([a-z0-9._-]+|\[[0-9a-f:.]+\]):\d{1,5}$/;
/** A comma list, in lower case. */
const list = (entry: z.ZodType<string, string>) =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .toLowerCase()
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .pipe(z.array(entry));
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  });

/** Postgres's client decodes user and password, and fails where it cannot: a generated password may have a percent sign. */
const postgresUrl = url('postgres:', 'postgresql:').refine(hasDecodableUser, {
  error: 'has a percent sign that stands for nothing: write %25, as in a password',
  when: ({ issues }) => issues.length === 0,
});

/** Of one server, or of several nodes with commas between their hosts; a list of whole URLs is refused. */
const urlOfNodes = (...protocols: string[]) =>
  z.string().refine(
    (text) => {
      const urls = nodeUrls(text);
      const isList = urls.length > 1 && /:\/\/.*:\/\//.test(text);
      return !isList && urls.every((node) => url(...protocols).safeParse(node).success);
    },
    { error: `must be a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}` },
  );

/** How one setting is read, and what it means. */
export interface Setting {
  schema: z.ZodType;
  default?: string;
  /** May stand in a file, too: NAME_FILE (secret-files.ts). */
  secret?: true;
  meaning: string;
}

/** Every setting: its schema, its default as text, and what it means. */
export const settings = {
  WARREN_APP: {
    schema: z.string(),
    default: 'warren/examples/shop',
    meaning:
      'the module that exports the application as `app`: a path from the working directory on, or the name of a package (docs/applications.md)',
  },
  DATABASE_URL: {
    schema: postgresUrl,
    secret: true,
    meaning: 'where Postgres is; required',
  },
  DATABASE_DIRECT_URL: {
    schema: postgresUrl.optional(),
    secret: true,
    meaning:
      'Postgres without a PgBouncer in transaction mode; set it where `DATABASE_URL` leads to one. A worker holds one connection there, and migrations run there',
  },
  AMQP_URL: {
    schema: z.union([z.literal('none'), urlOfNodes('amqp:', 'amqps:')]),
    secret: true,
    meaning:
      'where RabbitMQ is; required. The nodes of a cluster may all be named, with commas between them (`amqp://user:password@a:5672,b:5672/vhost`): a program connects to any that is there. `none`: no broker, the workers take jobs straight from Postgres',
  },
  RABBITMQ_QUEUE_TYPE: {
    schema: z.enum(['quorum', 'classic']),
    default: 'quorum',
    meaning:
      'of the queues that jobs wait in, the same in all programs. `quorum`: a cluster of nodes goes on without a pause when one is lost; `classic`: for a single node, jobs start sooner and RabbitMQ works less (docs/topology.md)',
  },
  DATABASE_POOL_MIN: {
    schema: whole(1, 100),
    default: '2',
    meaning: 'open Postgres connections that a process keeps',
  },
  DATABASE_POOL_MAX: {
    schema: whole(1, 500),
    default: '10',
    meaning: 'open Postgres connections that a process may have',
  },
  JOBS_POOL_MAX: {
    schema: whole(1, 500),
    default: '10',
    meaning:
      'open Postgres connections that the handlers of a worker may have for their own SQL (the `sql` of its services), and as many again for the transactions of their jobs',
  },
  HOST: {
    schema: z.string().min(1),
    default: '127.0.0.1',
    meaning: 'where the API, or the health server of a worker, listens',
  },
  PORT: { schema: whole(0, 65_535), default: '3000', meaning: "the API's port (0: any free port, logged)" },
  GRPC_PORT: {
    schema: whole(0, 65_535).optional(),
    meaning:
      "the port of the API's gRPC server, on the same `HOST` (docs/grpc.md; 0: any free port, logged). Without it there is none",
  },
  API_TOKEN: {
    schema: z.string().min(1).optional(),
    secret: true,
    meaning:
      'bearer token that may do everything; with it every request but health checks must carry a token',
  },
  TOKENS_FILE: {
    schema: z.string().min(1).optional(),
    meaning:
      'JSON file with more tokens, `[{ "name", "role", "sha256" }]` (docs/access.md); it may change while the program runs',
  },
  API_AUTH: {
    schema: z.enum(['token', 'none']),
    default: 'token',
    meaning: '`none` lets the API listen on a public address without a token',
  },
  API_HOSTS: {
    schema: list(z.string().regex(HOST, 'must list hosts, each with or without :port')),
    meaning:
      'comma list of `host` or `host:port`: the `Host` headers that the API answers beside `localhost`, `127.0.0.0/8` and `[::1]`. Without it: only those where it listens on a loopback address without a token, else all',
  },
  API_DRAIN_MS: {
    schema: whole(0, 600_000),
    default: '5000',
    meaning:
      'milliseconds that the API goes on serving after SIGTERM, closing each connection with its next answer (1 s where nobody is connected)',
  },
  API_BODY_BYTES: {
    schema: whole(24 * 1_048_576, 4_294_967_296),
    default: String(24 * 1_048_576),
    meaning:
      'bytes of request bodies that the API holds at once; what does not fit is answered with 503. Each JSON value counts as 25 bytes beside its text. 24 MiB suit a heap of 256 MiB',
  },
  EVENT_WATCHERS_MAX: {
    schema: whole(1, 10_000),
    default: '100',
    meaning:
      'how many may watch the events of jobs in one process at once; one more is answered with 503. Each may have 1 MiB waiting (docs/watching.md)',
  },
  PUBLISHER_CHANNELS: {
    schema: whole(1, 64),
    default: '4',
    meaning: "confirm channels in the API's pool, on one persistent connection",
  },
  WORKER_QUEUES: {
    schema: workerQueues.optional(),
    meaning:
      'comma list of `queue:channels:prefetch`: so many channels on the queue, each with its own prefetch, and as many jobs at once as both make together; a program that enqueues puts no more jobs into one message than the prefetch. Defaults to all queues of the application, as it defines them (the shop: `critical:5:20,default:5:20,webhooks:5:20,reports:5:1`)',
  },
  WORKER_ARGS_MAX_BYTES: {
    schema: whole(65_536, 1_073_741_824),
    default: '8388608',
    meaning:
      'bytes of job arguments (JSON text) that a worker holds at once; what does not fit waits, a larger job runs alone',
  },
  WORKER_HEALTH_PORT: {
    schema: whole(0, 65_535),
    default: '9090',
    meaning: "the worker's `/livez`, `/readyz` and `/metrics` (0: any free port, logged)",
  },
  DRAIN_TIMEOUT_MS: {
    schema: whole(0, 3_600_000),
    default: '25000',
    meaning: 'milliseconds that running jobs may take after SIGTERM; then they are aborted and handed back',
  },
  WORKER_RENEW_AFTER_JOBS: {
    schema: whole(1, 1_000_000_000).optional(),
    meaning:
      'attempts after which a worker program drains and exits with 0, to be started anew by whatever supervises it (docs/renewal.md); up to a fifth fewer, drawn at its start, so that not all do it at once. Without it never for that reason',
  },
  WORKER_RENEW_AFTER_MB: {
    schema: whole(64, 1_048_576).optional(),
    meaning: 'the same after so many MiB of resident memory, looked at every second',
  },
  WORKER_RENEW_AFTER_MS: {
    schema: whole(1_000, 2_592_000_000).optional(),
    meaning: 'the same after so many milliseconds',
  },
  RETENTION_COMPLETED_DAYS: {
    schema: days,
    default: '7',
    meaning:
      'days that completed jobs are kept, 0.5 for twelve hours (0: for ever); a job type may have a `retention` of its own',
  },
  RETENTION_CANCELLED_DAYS: {
    schema: days,
    default: '30',
    meaning: 'days that cancelled jobs are kept (0: for ever)',
  },
  RETENTION_DISCARDED_DAYS: {
    schema: days,
    default: '30',
    meaning: 'days that discarded jobs are kept (0: for ever)',
  },
  ARCHIVE_FILE: {
    schema: z.string().min(1).optional(),
    meaning:
      'a file to which a worker appends each job before it is deleted, as a line of JSON; what cannot be written is not deleted',
  },
  RETENTION_AUDIT_DAYS: {
    schema: days,
    default: '90',
    meaning: 'days that it is kept who did what (0: for ever; docs/audit.md)',
  },
  IDEMPOTENCY_KEY_HOURS: {
    schema: whole(1, 8_760),
    default: '24',
    meaning:
      'hours that an `Idempotency-Key` is remembered; a request that comes again later makes another job',
  },
  POD_URL: {
    schema: url('http:', 'https:').optional(),
    meaning:
      "a worker's own pod at the Kubernetes API server, which is told how busy it is (its deletion cost)",
  },
  LOG_LEVEL: {
    schema: z.enum(logLevels),
    default: 'info',
    meaning: 'the least severe lines that are logged',
  },
  TRACE_URL_TEMPLATE: {
    schema: traceUrlTemplate.optional(),
    meaning:
      'where people look at traces, as `https://tempo.example/trace/{traceId}`: the dashboard and the command link the trace of a job there (docs/tracing.md)',
  },
  WEBHOOK_ALLOW_PRIVATE: {
    schema: flag,
    default: 'false',
    meaning: '`true` lets `deliver-webhook` call loopback and private addresses',
  },
  WEBHOOK_ALLOWED_DESTINATIONS: {
    schema: list(z.string().regex(DESTINATION, 'must list destinations as host:port')),
    meaning:
      'comma list of `host:port`: exactly these may be called by `deliver-webhook` although they are not public',
  },
  WEBHOOK_NAMESERVERS: {
    schema: list(z.string()).refine(areNameservers, {
      error: 'must list IP addresses, each with or without a port, as 10.0.0.2 or [fd00::2]:5353',
    }),
    meaning:
      'comma list of `address` or `address:port`: whom `deliver-webhook` asks for names; without it the nameservers of the system',
  },
  ENCRYPTION_KEYS: {
    schema: encryptionKeys.optional(),
    secret: true,
    meaning:
      'encrypt the arguments and outputs of job types that are `encrypted`: comma list of `id:base64`, 32 bytes each (openssl rand -base64 32); the first encrypts, all decrypt (docs/encryption.md). Required where the application has such a type',
  },
  WEBHOOK_SECRET: {
    schema: webhookSecrets.optional(),
    secret: true,
    meaning:
      'signs webhooks as Standard Webhooks has it: 24 to 64 bytes in base64, with or without `whsec_` before it; without it they are not signed. Several, newest first, separated by spaces or commas: each signs, so that receivers may change over one by one',
  },
} as const satisfies Record<string, Setting>;

/** The value of every setting. */
export type Settings = { [Name in keyof typeof settings]: z.output<(typeof settings)[Name]['schema']> };

function hasDecodableUser(text: string): boolean {
  const { username, password } = new URL(text);
  try {
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}
