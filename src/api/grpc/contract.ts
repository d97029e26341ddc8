/**
 * The contract of `warren.v1.Jobs` as it stands in proto/warren/v1/jobs.proto, loaded at run time, and its messages as this face reads and writes them.
 *
 * Requests come as bytes: they are counted before they are decoded (jobs-service.ts), which the library would do at once and without a bound. `Request`
 * types are what a client may have left out anything of.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { MessageTypeDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import { InvalidInput } from '#shared/base/errors.ts';

export const JOBS_SERVICE = 'warren.v1.Jobs';

/** `google.protobuf.Timestamp`; proto3 leaves out what is 0. */
export interface TimestampMessage {
  seconds?: number;
  nanos?: number;
}

export interface NewJobMessage {
  type?: string;
  args?: string;
  queue?: string;
  runAt?: TimestampMessage;
  delayMs?: number;
  maxAttempts?: number;
  uniqueKey?: string;
  /** Enums by name; by number, where this version does not know them. */
  unique?: { key?: string; for?: string | number; forMs?: number; onConflict?: string | number };
  priority?: number;
  group?: string;
  orderingKey?: string;
  tags?: string[];
  limits?: string[];
  expiresAt?: TimestampMessage;
  batch?: string;
}

export interface JobIdMessage {
  id?: string;
}

export interface Contract {
  /** Everything that is in the files, for reflection. */
  packageDefinition: PackageDefinition;
  /** With requests as bytes. */
  service: ServiceDefinition;
  decodeNewJob(bytes: Uint8Array): NewJobMessage;
  decodeJobId(bytes: Uint8Array): JobIdMessage;
}

/** Reads the files. */
export function loadContract(): Contract {
  const root = dirname(createRequire(import.meta.url).resolve('warren/package.json'));
  const packageDefinition = loadSync('warren/v1/jobs.proto', {
    includeDirs: [join(root, 'proto')],
    longs: Number, // milliseconds and seconds: what is beyond 2^53 is refused anyway
    enums: String,
  });
  const declared = packageDefinition[JOBS_SERVICE] as ServiceDefinition;
  const decoder = <Message>(name: string) => {
    const { deserialize } = packageDefinition[name] as MessageTypeDefinition<object, object>;
    return (bytes: Uint8Array) => decode(deserialize, bytes) as Message;
  };
  return {
    packageDefinition,
    service: Object.fromEntries(
      Object.entries(declared).map(([name, method]) => [
        name,
        { ...method, requestDeserialize: (bytes: Buffer) => bytes },
      ]),
    ),
    decodeNewJob: decoder<NewJobMessage>('warren.v1.NewJob'),
    decodeJobId: decoder<JobIdMessage>('warren.v1.GetRequest'), // CancelRequest and WatchRequest are the same
  };
}

function decode(deserialize: (bytes: Buffer) => object, bytes: Uint8Array): object {
  try {
    return deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    throw malformed();
  }
}

export function malformed(): InvalidInput {
  return new InvalidInput('invalid_body', 'the request is no message of its type');
}
