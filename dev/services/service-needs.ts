// The vocabulary that the ways of providing servers share. Everybody needs RabbitMQ and Postgres, some examples Redis and Valkey.

import type { RunCommand } from '../command.ts';
import type { ProcessRecord } from '../process-record.ts';

export type KeyValueNeed = 'redis' | 'valkey';

export type Need = 'rabbitmq' | 'postgres' | KeyValueNeed;

export type Log = (line: string) => void;

/** What a way has started: the URLs of what was needed, and how to stop it. */
export type ProvidedServers = {
  readonly amqpUrl?: string;
  readonly managementUrl?: string;
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  readonly valkeyUrl?: string;
  /** Stops what this run has started, in order. Idempotent. */
  stop(): Promise<void>;
  /** Ends everything at once, without waiting. */
  kill(): void;
};

export type PrivateServersOptions = {
  readonly folder: string;
  readonly needs: readonly Need[];
  /** Without it every start begins empty, and stopping does not wait for a shutdown in good order. */
  readonly keepData: boolean;
  /** RabbitMQ is to be a cluster of three nodes. */
  readonly replicated: boolean;
  readonly record: ProcessRecord;
  readonly run: RunCommand;
  readonly log: Log;
  readonly signal: AbortSignal | undefined;
};

export type PostgresBinaries = {
  /** Names the data folder, because data belongs to one major version. */
  readonly version: string;
  readonly folder: string;
};

/** What each server gets to know. */
export type ServerOptions = Omit<PrivateServersOptions, 'needs'> & { readonly logFolder: string };
