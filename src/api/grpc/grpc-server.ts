/**
 * The gRPC server: `warren.v1.Jobs`, health and reflection on a port of their own, from start to stop. Loaded where it is used, and only there, for its
 * packages are optional.
 *
 * Guarantees: health is SERVING while /readyz answers 200, a second later at most. A stop goes on serving for the drain time, as the HTTP server does, then
 * tells the clients to go elsewhere (GOAWAY), ends the watches and waits for the calls that are under way. Without TLS: a proxy or a mesh adds it.
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import type { QueueClient } from '#queue/client.ts';
import { resolvedWithin, sleep } from '#shared/base/backoff.ts';
import { errorMessage, Misconfigured } from '#shared/base/errors.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import { MAX_BATCH_BYTES } from '../contract/job.ts';
import { JOBS_SERVICE, loadContract } from './contract.ts';
import { guardCalls } from './guard.ts';
import type { JobsServiceOptions } from './jobs-service.ts';
import { createJobsService } from './jobs-service.ts';

const HEALTH_LOOK_MS = 1_000;
/** A drain ends early where nobody has called for so long, in milliseconds. */
const QUIET_MS = 1_000;
const STOP_LOOK_MS = 20;
/** What calls that are under way at the end of the drain may take, in milliseconds. */
const STOP_DEADLINE_MS = 10_000;

const LIMITS = {
  'grpc.max_receive_message_length': MAX_BATCH_BYTES,
  'grpc.max_concurrent_streams': 1_000, // of one connection
  // A client that is gone without a word is noticed: a watch would last for ever.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};

export interface GrpcServerOptions extends Omit<JobsServiceOptions, 'contract' | 'ending'> {
  check: QueueClient['check'];
  audit: QueueClient['audit'];
  tokens: AccessTokens;
  host: string;
  /** 0: any free one. */
  port: number;
  /** How long it goes on serving when it is told to stop, in milliseconds. */
  drainMs: number;
}

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Server;
  readonly #health = new HealthImplementation();
  readonly #stopping = new AbortController();
  readonly #ending = new AbortController();
  /** Calls that will end by themselves. */
  #underWay = 0;
  #calledAt = Number.NEGATIVE_INFINITY;
  #lookingAtHealth: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { events, tokens, audit } = options;
    const contract = loadContract();
    const targetOf = (message: unknown) =>
      Buffer.isBuffer(message) ? contract.decodeJobId(message).id : undefined;
    const calls = {
      begin: (path: string) => this.#count(path, 1),
      end: (path: string) => this.#count(path, -1),
    };
    this.#server = new Server({
      ...LIMITS,
      interceptors: [guardCalls({ events, audit, tokens, calls, targetOf })],
    });
    this.#server.addService(
      contract.service,
      createJobsService({ ...options, contract, ending: this.#ending.signal }),
    );
    this.#setHealth('NOT_SERVING');
    this.#health.addToServer(this.#server);
    const described = { ...contract.packageDefinition, ...loadSync(healthProto) };
    new ReflectionService(described).addToServer(this.#server);
  }

  /** Resolves with `host:port` when it listens. Throws `Misconfigured` where it cannot. */
  async start(): Promise<string> {
    const { host, port } = this.#options;
    const bare = host.replace(/^\[|\]$/g, '');
    const target = bare.includes(':') ? `[${bare}]` : bare;
    const bound = Promise.withResolvers<number>();
    this.#server.bindAsync(`${target}:${port}`, ServerCredentials.createInsecure(), (error, actual) => {
      if (error === null) bound.resolve(actual);
      else bound.reject(new Misconfigured(`cannot listen on ${target}:${port}: ${errorMessage(error)}`));
    });
    const actual = await bound.promise;
    this.#lookingAtHealth = this.#lookAtHealth();
    return `${target}:${actual}`;
  }

  /** Drains, then closes. Resolves when no connection is left. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#lookingAtHealth;
    this.#setHealth('NOT_SERVING');
    await this.#drain();
    const closed = Promise.withResolvers<void>();
    this.#server.tryShutdown(() => closed.resolve());
    this.#ending.abort();
    await resolvedWithin(closed.promise, STOP_DEADLINE_MS);
    this.#server.forceShutdown();
  }

  async #drain(): Promise<void> {
    const startedAt = performance.now();
    for (let now = startedAt; now - startedAt < this.#options.drainMs; now = performance.now()) {
      const quietMs = now - Math.max(startedAt, this.#calledAt);
      if (this.#underWay === 0 && quietMs >= QUIET_MS) return;
      await sleep(STOP_LOOK_MS);
    }
  }

  /** Streams that last as long as their callers like, and health checks, are no reason to wait. */
  #count(path: string, change: 1 | -1): void {
    if (!path.startsWith(`/${JOBS_SERVICE}/`) || path.endsWith('/Watch')) return;
    this.#calledAt = performance.now();
    this.#underWay += change;
  }

  async #lookAtHealth(): Promise<void> {
    const { check, phase } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const { postgres } = await check();
      this.#setHealth(postgres.ok && phase() === 'serving' ? 'SERVING' : 'NOT_SERVING');
      await sleep(HEALTH_LOOK_MS, signal);
    }
  }

  #setHealth(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of ['', JOBS_SERVICE]) this.#health.setStatus(name, status);
  }
}
