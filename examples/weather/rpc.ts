/**
 * `weather.v1` in gRPC, from the file weather.proto: the service, and a client of it.
 */
import { resolve } from 'node:path';
import type { Client, ClientDuplexStream, ClientUnaryCall, ServiceClientConstructor } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import type { CountsShown } from './counts.ts';
import type { Report } from './report.ts';

export interface ReportRequest extends Report {
  id: string;
}

export interface ReportReply {
  id: string;
  jobId: string;
  /** Empty where the report is safe. */
  error: string;
  /** The report itself is wrong: sending it again is of no use. */
  refused: boolean;
}

export interface CountsReply {
  redis: CountsShown;
  valkey: CountsShown;
}

const TIMEOUT_MS = 10_000;

export const definition = protoLoader.loadSync(resolve(import.meta.dirname, 'weather.proto'), {
  defaults: true,
  longs: Number,
});

const constructors = grpc.loadPackageDefinition(definition) as unknown as {
  weather: { v1: { Weather: ServiceClientConstructor } };
};
export const { service } = constructors.weather.v1.Weather;

type Callback<T> = (error: Error | null, reply: T) => void;
type WeatherMethods = Client & {
  report(
    request: ReportRequest,
    options: { deadline: number },
    callback: Callback<ReportReply>,
  ): ClientUnaryCall;
  reportMany(options: { deadline: number }): ClientDuplexStream<ReportRequest, ReportReply>;
  getCounts(request: object, options: { deadline: number }, callback: Callback<CountsReply>): ClientUnaryCall;
};

/** An attempt that found the gateway away is repeated, with the same id. All gateways that the address stands for take turns. */
const serviceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: 'weather.v1.Weather' }],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: '0.1s',
        maxBackoff: '2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};

export class WeatherClient implements Disposable {
  readonly #client: WeatherMethods;

  constructor(address: string) {
    const { Weather } = constructors.weather.v1;
    const options = { 'grpc.service_config': JSON.stringify(serviceConfig) };
    this.#client = new Weather(
      address,
      grpc.credentials.createInsecure(),
      options,
    ) as unknown as WeatherMethods;
  }

  async report(request: ReportRequest): Promise<ReportReply> {
    return await answer<ReportReply>((callback) => this.#client.report(request, deadline(), callback));
  }

  /** The replies come in the order of the requests. */
  async reportMany(requests: readonly ReportRequest[]): Promise<ReportReply[]> {
    const call = this.#client.reportMany(deadline());
    for (const request of requests) call.write(request);
    call.end();
    const replies: ReportReply[] = [];
    for await (const reply of call as AsyncIterable<ReportReply>) replies.push(reply);
    return replies;
  }

  async counts(): Promise<CountsReply> {
    return await answer<CountsReply>((callback) => this.#client.getCounts({}, deadline(), callback));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function deadline(): { deadline: number } {
  return { deadline: Date.now() + TIMEOUT_MS };
}

async function answer<T>(call: (callback: Callback<T>) => unknown): Promise<T> {
  const { promise, resolve: succeed, reject } = Promise.withResolvers<T>();
  call((error, reply) => (error === null ? succeed(reply) : reject(error)));
  return await promise;
}
