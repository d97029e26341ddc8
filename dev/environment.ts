// The one place in dev/ that reads the environment of this process.
// Empty variables count as absent, so that `AMQP_URL= npm start` means "provide one"; secrets that stand in files are read.
import { readSecretFiles } from '../src/shared/settings/secret-files.ts';

export type Environment = {
  readonly amqpUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly managementUrl: string | undefined;
  /** Those of servers, by what they are. */
  readonly urls: Readonly<Record<'rabbitmq' | 'postgres' | 'redis' | 'valkey', string | undefined>>;
  readonly port: string | undefined;
  readonly apiToken: string | undefined;
  /** Everything that was set, for the child processes. */
  readonly inherited: Readonly<Record<string, string>>;
};

export function readEnvironment(
  source: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const inherited: Record<string, string> = {};
  const { environment, problems } = readSecretFiles(source);
  if (problems.size > 0) throw new Error(`the settings are wrong: ${[...problems.values()].join('; ')}`);
  for (const [name, value] of Object.entries(environment)) if (value) inherited[name] = value;
  return {
    amqpUrl: inherited['AMQP_URL'],
    databaseUrl: inherited['DATABASE_URL'],
    managementUrl: inherited['RABBITMQ_MANAGEMENT_URL'],
    urls: {
      rabbitmq: inherited['AMQP_URL'],
      postgres: inherited['DATABASE_URL'],
      redis: inherited['REDIS_URL'],
      valkey: inherited['VALKEY_URL'],
    },
    port: inherited['PORT'],
    apiToken: inherited['API_TOKEN'],
    inherited,
  };
}
