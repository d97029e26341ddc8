/**
 * The settings of the weather's programs: environment variables, or files that `NAME_FILE` names. What is missing is told in one line.
 */
import { readFileSync } from 'node:fs';

function optional(name: string): string | undefined {
  const file = process.env[`${name}_FILE`];
  return file ? readFileSync(file, 'utf8').trim() : process.env[name] || undefined;
}

function required(name: string, meaning: string): string {
  const value = optional(name);
  if (value === undefined) throw new Error(`${name} is missing: ${meaning}`);
  return value;
}

/** Where the stream is. It lives in the broker: without one (`none`) there is no stream. */
export function brokerUrl(): string {
  const url = required('AMQP_URL', 'where RabbitMQ is');
  if (url === 'none') throw new Error('the weather needs a RabbitMQ: AMQP_URL is none');
  return url;
}

/** Where Warren's API answers gRPC, and with which token it is asked: `API_TOKEN`, or none. */
export function jobsApi(): { address: string; token: string | undefined } {
  const address = required('API_GRPC', "where Warren's API answers gRPC");
  return { address, token: optional('API_TOKEN') };
}

/** The counts of the stream. */
export function redisUrl(): string {
  return required('REDIS_URL', 'where the counts of the stream are');
}

/** The counts of the jobs. */
export function valkeyUrl(): string {
  return required('VALKEY_URL', 'where the counts of the jobs are');
}

/** Where the edge finds the gateway, as gRPC names it: `host:port`, or `dns:///host:port` for all that the name stands for. */
export function gatewayAddress(): string {
  return required('GATEWAY_GRPC', 'where the gateway is');
}

/** Where the gateway listens for gRPC. */
export function grpcListensAt(): string {
  return `${host()}:${process.env['GRPC_PORT'] || 50051}`;
}

/** Where a program listens for HTTP. */
export function listenAt(): { port: number; hostname: string } {
  return { port: Number(process.env['PORT'] || 3000), hostname: host() };
}

function host(): string {
  return process.env['HOST'] || '127.0.0.1';
}
