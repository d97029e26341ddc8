// A client of `warren.v1.Jobs` as anybody would write one: from the .proto file, with @grpc/grpc-js, and the details of errors by their published types.
// Guarantees: every call has a deadline against hangs; the channel is closed when it is disposed of.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { CallOptions, ClientDuplexStream, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { Client, credentials, loadPackageDefinition, Metadata, status } from '@grpc/grpc-js';
import type { MessageTypeDefinition, PackageDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import { HANG_MS } from './eventually.ts';

export const jobsProto = new URL('../../proto/warren/v1/jobs.proto', import.meta.url).pathname;

/** How a call has ended: the message, or what is wrong. */
export interface GrpcAnswer {
  code: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  body: any;
  message: string;
  reason: string | undefined;
  violations: { field: string; description: string }[];
  retryAfterSeconds: number | undefined;
  metadata: Record<string, string>;
}

export interface GrpcCallOptions {
  /** A bearer token. */
  token?: string;
  metadata?: Record<string, string>;
  deadlineMs?: number;
}

type Unary = (
  request: object,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, body: object) => void,
) => { cancel(): void };

export class GrpcClient {
  readonly #client: Client;

  constructor(
    address: string,
    {
      definition = loadSync(jobsProto, { longs: Number, enums: String }),
      service = 'warren.v1.Jobs',
    }: { definition?: PackageDefinition; service?: string } = {},
  ) {
    const constructors = loadPackageDefinition(definition);
    const found = service
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], constructors);
    this.#client = new (found as new (...of: unknown[]) => Client)(address, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  static health(address: string): GrpcClient {
    const definition = loadSync(healthProto, { enums: String });
    return new GrpcClient(address, { definition, service: 'grpc.health.v1.Health' });
  }

  static reflection(address: string): GrpcClient {
    const package_ = createRequire(import.meta.url).resolve('@grpc/reflection/package.json');
    const file = join(dirname(package_), 'build/proto/grpc/reflection/v1/reflection.proto');
    return new GrpcClient(address, {
      definition: loadSync(file),
      service: 'grpc.reflection.v1.ServerReflection',
    });
  }

  /** Of a client for reflection: the names of the services. Rejects where the call is refused. */
  async services(options: GrpcCallOptions): Promise<string[]> {
    const { ServerReflectionInfo: ask } = this.#client as unknown as Record<
      string,
      (...given: unknown[]) => ClientDuplexStream<object, object>
    >;
    const call = ask?.call(this.#client, metadataOf(options), callOptions(options)) as ClientDuplexStream<
      object,
      object
    >;
    call.end({ listServices: '' });
    const services: string[] = [];
    for await (const { listServicesResponse } of call)
      for (const { name } of listServicesResponse.service) services.push(name);
    return services;
  }

  /** Never rejects. */
  call(method: string, request: object, options: GrpcCallOptions = {}): Promise<GrpcAnswer> {
    return this.begin(method, request, options).answer;
  }

  begin(
    method: string,
    request: object,
    options: GrpcCallOptions = {},
  ): { answer: Promise<GrpcAnswer>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<GrpcAnswer>();
    const unary = (this.#client as unknown as Record<string, Unary>)[method] as Unary;
    const call = unary.call(this.#client, request, metadataOf(options), callOptions(options), (error, body) =>
      resolve(error === null ? { ...describe(undefined), body } : describe(error)),
    );
    return { answer: promise, cancel: () => call.cancel() };
  }

  stream(method: string, request: object, options: GrpcCallOptions = {}): GrpcStream {
    const streaming = (
      this.#client as unknown as Record<string, (...given: unknown[]) => ClientReadableStream<object>>
    )[method];
    return new GrpcStream(
      streaming?.call(
        this.#client,
        request,
        metadataOf(options),
        callOptions(options),
      ) as ClientReadableStream<object>,
    );
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Calls any method of any service, as `warren.v1.Jobs/Get`, with these bytes, and says how that has ended: `OK` where it was answered, too. */
export async function callByPath(
  address: string,
  path: string,
  { bytes, ...options }: GrpcCallOptions & { bytes: Buffer },
): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const { promise, resolve } = Promise.withResolvers<string>();
  const asIs = (given: Buffer) => given;
  const call = client.makeBidiStreamRequest(
    `/${path}`,
    asIs,
    asIs,
    metadataOf(options),
    callOptions(options),
  );
  call.on('data', () => {
    resolve('OK');
    call.cancel(); // a watch would go on
  });
  call.on('error', () => {}); // the status says it
  call.on('status', ({ code }) => resolve(status[code]));
  call.end(bytes);
  const end = await promise;
  client.close();
  return end;
}

/** The messages of a stream as they come, and how it has ended. */
export class GrpcStream {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  readonly messages: any[] = [];
  readonly ended: Promise<GrpcAnswer>;
  readonly #call: ClientReadableStream<object>;

  constructor(call: ClientReadableStream<object>) {
    this.#call = call;
    const { promise, resolve } = Promise.withResolvers<GrpcAnswer>();
    this.ended = promise;
    call.on('data', (message: object) => this.messages.push(message));
    call.on('error', (error: ServiceError) => resolve(describe(error)));
    call.on('end', () => resolve(describe(undefined)));
  }

  /** Resolves with the first message that satisfies; rejects where the stream has ended before. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  async until(satisfies: (message: any) => boolean): Promise<any> {
    for (;;) {
      const found = this.messages.find(satisfies);
      if (found !== undefined) return found;
      const end = await Promise.race([once(this.#call, 'data').then(() => undefined), this.ended]);
      if (end !== undefined && !this.messages.some(satisfies))
        throw new Error(`the stream has ended with ${end.code}: ${JSON.stringify(this.messages)}`);
    }
  }

  cancel(): void {
    this.#call.cancel();
  }
}

function metadataOf({ token, metadata: pairs = {} }: GrpcCallOptions): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  for (const [key, value] of Object.entries(pairs)) metadata.set(key, value);
  return metadata;
}

function callOptions({ deadlineMs = HANG_MS }: GrpcCallOptions): CallOptions {
  return { deadline: Date.now() + deadlineMs };
}

const rpcTypes = loadSync(new URL('google-rpc.proto', import.meta.url).pathname, {
  longs: Number,
  arrays: true,
  objects: true,
});

// biome-ignore lint/suspicious/noExplicitAny: of whatever type it is
function decode(name: string, bytes: Buffer): any {
  return (rpcTypes[name] as MessageTypeDefinition<object, object>).deserialize(bytes);
}

function describe(error: ServiceError | undefined): GrpcAnswer {
  const answer: GrpcAnswer = {
    code: status[error?.code ?? status.OK],
    body: undefined,
    message: error?.details ?? '',
    reason: undefined,
    violations: [],
    retryAfterSeconds: undefined,
    metadata: {},
  };
  const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
  if (!(bytes instanceof Buffer)) return answer;
  for (const { typeUrl, value } of decode('google.rpc.Status', bytes).details) {
    const name = String(typeUrl).replace('type.googleapis.com/', '');
    const detail = decode(name, value);
    if (name === 'google.rpc.ErrorInfo') {
      answer.reason = detail.reason;
      answer.metadata = detail.metadata;
    } else if (name === 'google.rpc.BadRequest') answer.violations = detail.fieldViolations;
    else answer.retryAfterSeconds = detail.retryDelay.seconds;
  }
  return answer;
}
