/**
 * The gRPC server of an application that holds a `Warren`: on the client of that, with a port and tokens of its own.
 *
 * Guarantees: without tokens it listens on this machine only, unless the application says that it decides itself who may come.
 */
import type { QueueClient } from '#queue/client.ts';
import { Misconfigured } from '#shared/base/errors.ts';
import { isLoopback } from '#shared/base/loopback.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { AccessToken } from '../access/access-tokens.ts';
import { AccessTokens } from '../access/access-tokens.ts';
import { BodyBudget } from '../body-budget.ts';
import { createGrpcServer } from './load.ts';

export interface GrpcOptions {
  /** Where it listens. Defaults to 127.0.0.1. */
  host?: string | undefined;
  /** 0: any free port. */
  port: number;
  /** A bearer token that may do everything. Defaults to none. */
  apiToken?: string | undefined;
  /** Further bearer tokens, each by the SHA-256 of its text in lower-case hex. Defaults to none. */
  tokens?: readonly AccessToken[] | undefined;
  /** Without a token, listen on a host that other machines reach, too: the application decides before it who may come. Defaults to false. */
  isOpen?: boolean | undefined;
  /** How long it goes on serving when it is stopped, in milliseconds. Defaults to 0: calls under way are answered, and no more. */
  drainMs?: number | undefined;
}

/** A gRPC server that runs in this process. */
export interface RunningGrpc extends AsyncDisposable {
  /** `host:port` */
  address: string;
  /** Drains, then closes. */
  stop(): Promise<void>;
}

export interface StartGrpcOptions {
  app: App;
  client: QueueClient;
  events: Events;
  /** What requests may hold in memory at once. */
  bodyBytes: number;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate: string | undefined;
  phase: () => 'starting' | 'serving' | 'stopping';
  given: GrpcOptions;
}

/** Resolves when it listens. Throws `Misconfigured` where it may not or cannot. */
export async function startGrpc({
  app,
  client,
  events,
  bodyBytes,
  traceUrlTemplate,
  phase,
  given,
}: StartGrpcOptions): Promise<RunningGrpc> {
  const { host = '127.0.0.1', port, apiToken, tokens: listed, isOpen = false, drainMs = 0 } = given;
  const tokens = new AccessTokens({ apiToken, listed });
  if (tokens.isOpen && !isOpen && !isLoopback(host))
    throw new Misconfigured(`${host} is public: warren.startGrpc() takes apiToken, tokens or isOpen`);
  const server = await createGrpcServer({
    events,
    browser: client.browser,
    enqueuer: client.enqueuer,
    control: client.control,
    watcher: client.watcher,
    audit: client.audit,
    definitions: app.definitions,
    traceUrlTemplate,
    queues: [...app.queues.keys()],
    bodies: new BodyBudget(bodyBytes),
    check: () => client.check(),
    tokens,
    phase,
    host,
    port,
    drainMs,
  });
  const address = await server.start();
  const stop = () => server.stop();
  return { address, stop, [Symbol.asyncDispose]: stop };
}
