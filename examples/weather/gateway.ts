/**
 * The gateway: takes reports in by gRPC, and puts each of them on both ways, as a job and into the stream.
 *
 * Guarantees: what it has answered for is safe on both. The job comes first, and its number goes into the stream. A report that is sent again with the
 * same id, because one of the two failed, finds its job, and goes into the stream under the same number: it is counted once on each side.
 */
import type { ServerDuplexStream, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { Hono } from 'hono';
import { InvalidInput } from 'warren/app';
import { Counts } from './counts.ts';
import { Jobs } from './jobs.ts';
import { createRegistry, gatewayMetrics } from './metrics.ts';
import { report, reportId } from './report.ts';
import type { CountsReply, ReportReply, ReportRequest } from './rpc.ts';
import { definition, service } from './rpc.ts';
import { serveUntilStopped } from './serve.ts';
import { brokerUrl, grpcListensAt, redisUrl, valkeyUrl } from './settings.ts';
import { StreamWriter } from './stream.ts';

const MAX_CALLS_PER_CONNECTION = 1_000;

class Gateway {
  readonly #jobs = new Jobs();
  readonly #stream = new StreamWriter(brokerUrl());
  readonly #redis = new Counts(redisUrl());
  readonly #valkey = new Counts(valkeyUrl());
  readonly registry = createRegistry();
  readonly #outcomes = gatewayMetrics(this.registry, async () => {
    const { redis, valkey } = await this.counts();
    return { redis: redis.total, valkey: valkey.total };
  });

  /** Resolves when it is safe on both ways. */
  async report({ id, ...given }: ReportRequest): Promise<ReportReply> {
    const key = reportId.safeParse(id);
    const checked = report.safeParse(given);
    const problem = key.error ?? checked.error;
    if (problem !== undefined || !checked.success) {
      this.#outcomes.inc({ outcome: 'refused' });
      const issues = problem?.issues.map(({ path, message }) => `${path.join('.') || 'id'} ${message}`) ?? [];
      throw new InvalidInput('invalid_report', issues.join('; '));
    }
    try {
      const number = await this.#jobs.enqueue(id, checked.data);
      await this.#stream.append({ ...checked.data, number });
      this.#outcomes.inc({ outcome: 'accepted' });
      return { id, jobId: number, error: '', refused: false };
    } catch (error) {
      this.#outcomes.inc({ outcome: error instanceof InvalidInput ? 'refused' : 'failed' });
      throw error;
    }
  }

  get isReady(): boolean {
    return this.#redis.isReady && this.#valkey.isReady;
  }

  async counts(): Promise<CountsReply> {
    const [redis, valkey] = await Promise.all([this.#redis.read(), this.#valkey.read()]);
    return { redis, valkey };
  }

  async stop(): Promise<void> {
    this.#jobs[Symbol.dispose]();
    for (const open of [this.#stream, this.#redis, this.#valkey]) await open[Symbol.asyncDispose]();
  }
}

function handlers(gateway: Gateway) {
  return {
    report: (call: ServerUnaryCall<ReportRequest, ReportReply>, callback: sendUnaryData<ReportReply>) =>
      reply(gateway.report(call.request), callback),
    getCounts: (_call: ServerUnaryCall<object, CountsReply>, callback: sendUnaryData<CountsReply>) =>
      reply(gateway.counts(), callback),
    reportMany: (call: ServerDuplexStream<ReportRequest, ReportReply>) => {
      answerMany(gateway, call).catch((error: unknown) => call.destroy(Object(error)));
    },
  };
}

function reply<T>(answer: Promise<T>, callback: sendUnaryData<T>): void {
  answer.then(
    (value) => callback(null, value),
    (error: unknown) => callback({ code: codeOf(error), details: messageOf(error) }),
  );
}

/** All at once: jobs of one moment are committed together. The replies stand in the order of the requests. */
async function answerMany(
  gateway: Gateway,
  call: ServerDuplexStream<ReportRequest, ReportReply>,
): Promise<void> {
  const answers: Promise<ReportReply>[] = [];
  call.on('error', () => undefined); // the caller has gone: what is under way ends by itself
  for await (const request of call as AsyncIterable<ReportRequest>) {
    const answer = gateway.report(request).catch((error: unknown) => ({
      id: request.id,
      jobId: '',
      error: messageOf(error),
      refused: error instanceof InvalidInput,
    }));
    answers.push(answer);
    if (answers.length < MAX_CALLS_PER_CONNECTION) continue;
    for (const waiting of answers.splice(0)) call.write(await waiting);
  }
  for (const answer of answers) call.write(await answer);
  call.end();
}

function codeOf(error: unknown): number {
  return error instanceof InvalidInput ? grpc.status.INVALID_ARGUMENT : grpc.status.UNAVAILABLE;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function run(): Promise<void> {
  const gateway = new Gateway();
  const server = new grpc.Server({ 'grpc.max_concurrent_streams': MAX_CALLS_PER_CONNECTION });
  server.addService(service, handlers(gateway));
  const health = new HealthImplementation({ '': 'SERVING', 'weather.v1.Weather': 'SERVING' });
  health.addToServer(server);
  new ReflectionService(definition).addToServer(server);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(grpcListensAt(), grpc.ServerCredentials.createInsecure(), (error, port) =>
    error === null ? resolve(port) : reject(error),
  );
  await promise;
  serveUntilStopped({
    app: new Hono(),
    registry: gateway.registry,
    isReady: () => gateway.isReady,
    stop: async () => {
      health.setStatus('', 'NOT_SERVING');
      await shutDown(server);
      await gateway.stop();
    },
  });
}

/** Calls under way are answered first; who has not ended after a while is cut off. */
async function shutDown(server: grpc.Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(() => server.forceShutdown(), 10_000);
  server.tryShutdown(() => resolve());
  await promise;
  clearTimeout(late);
}

void run();
