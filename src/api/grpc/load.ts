/**
 * Loads the gRPC server where somebody wants one: its packages are optional, and take time and memory. The only way to `grpc-server.ts`.
 */
import { errorMessage, Misconfigured } from '#shared/base/errors.ts';
import type { GrpcServer, GrpcServerOptions } from './grpc-server.ts';

/** Throws `Misconfigured` where the packages are not installed. */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const loaded = await import('./grpc-server.ts').catch((error: unknown) => {
    if (Object(error).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Misconfigured(
      `gRPC needs @grpc/grpc-js, @grpc/proto-loader, @grpc/reflection and grpc-health-check: ${errorMessage(error)}`,
    );
  });
  return new loaded.GrpcServer(options);
}
