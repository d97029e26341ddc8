/**
 * Jobs by Warren's own gRPC, `warren.v1.Jobs`: the gateway needs neither Postgres nor Warren's package for them.
 */
import { fileURLToPath } from 'node:url';
import type { Client, ClientUnaryCall, Metadata, ServiceClientConstructor } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { InvalidInput } from 'warren/app';
import type { Report } from './report.ts';
import { jobsApi } from './settings.ts';

const TIMEOUT_MS = 5_000;

interface Enqueue {
  job: { type: string; args: string };
}
interface Enqueued {
  job: { id: string };
}
type Callback = (error: grpc.ServiceError | null, reply: Enqueued) => void;
type JobsMethods = Client & {
  enqueue(
    request: Enqueue,
    metadata: Metadata,
    options: { deadline: number },
    callback: Callback,
  ): ClientUnaryCall;
};

const constructors = grpc.loadPackageDefinition(
  protoLoader.loadSync(fileURLToPath(import.meta.resolve('warren/proto/warren/v1/jobs.proto'))),
) as unknown as { warren: { v1: { Jobs: ServiceClientConstructor } } };

export class Jobs implements Disposable {
  readonly #client: JobsMethods;
  readonly #token: string | undefined;

  constructor() {
    const { address, token } = jobsApi();
    const { Jobs: JobsClient } = constructors.warren.v1;
    const options = { 'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }) };
    this.#client = new JobsClient(
      address,
      grpc.credentials.createInsecure(),
      options,
    ) as unknown as JobsMethods;
    this.#token = token;
  }

  /**
   * Resolves with the number of the job when it is committed: the same for the same id. Throws `InvalidInput` where the id stands for another report.
   */
  async enqueue(id: string, report: Report): Promise<string> {
    const metadata = new grpc.Metadata();
    metadata.set('idempotency-key', id);
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    const job = { type: 'count-report', args: JSON.stringify(report) };
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#client.enqueue({ job }, metadata, { deadline: Date.now() + TIMEOUT_MS }, (error, reply) => {
      if (error === null) resolve(reply.job.id);
      else if (error.code !== grpc.status.INVALID_ARGUMENT) reject(error);
      else reject(new InvalidInput('invalid_report', error.details));
    });
    return await promise;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
