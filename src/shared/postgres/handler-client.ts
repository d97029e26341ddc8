/**
 * The Postgres client of the handlers: their SQL is their own business.
 *
 * Guarantees: a plain postgres.js client with a pool of its own, opened by its first statement, so that no statement of a handler waits for one of
 * Warren's or the other way round; none of the deadlines, planner settings or search paths of Warren's own connections.
 */
import postgres from 'postgres';
import { backoffMs } from '../base/backoff.ts';
import type { ConnectionPlace } from './connection-options.ts';
import { connectionOptions } from './connection-options.ts';
import { isConnectionLoss } from './failures.ts';

/** In seconds, as postgres.js counts. */
export const IDLE_SECONDS = 30;
const KEEPALIVE_SECONDS = 5;

/** postgres.js, as its documentation has it. */
export type HandlerClient = postgres.Sql;

export interface HandlerClientOptions extends ConnectionPlace {
  /** `application_name` of its connections. */
  name: string;
  max: number;
  /** After how long a connection that does nothing closes. Defaults to 30. */
  idleSeconds?: number;
}

export function createHandlerClient(options: HandlerClientOptions): HandlerClient {
  return postgres(options.url, handlerClientOptions(options));
}

/** Of every connection on which statements of handlers run. */
export function handlerClientOptions({ name, max, ...place }: HandlerClientOptions) {
  return {
    max,
    prepare: connectionOptions(name, place).prepare ?? true,
    idle_timeout: IDLE_SECONDS,
    connect_timeout: 5,
    keep_alive: KEEPALIVE_SECONDS,
    max_lifetime: null,
    backoff: (retries: number) => backoffMs(retries, { firstMs: 50, maxMs: 1_000, jitter: 0.5 }) / 1_000,
    onnotice: () => {}, // postgres.js prints notices otherwise
    connection: { application_name: name },
  };
}

/**
 * Whether this client could not reach Postgres, or has lost it. Other network errors of a handler are none: postgres.js notes the query in its errors,
 * or the socket the port.
 */
export function hasLostPostgres(sql: HandlerClient, error: unknown): boolean {
  if (!isConnectionLoss(error)) return false;
  const { port } = error as { port?: unknown };
  return Object.hasOwn(error as object, 'query') || sql.options.port.some((own) => own === port);
}
