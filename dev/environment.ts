// The one place in dev/ that reads the environment of this process.
// Empty variables count as absent, so that `AMQP_URL= npm start` means "provide one".

export type Environment = {
  readonly amqpUrl: string | undefined;
  readonly databaseUrl: string | undefined;
  readonly managementUrl: string | undefined;
  readonly port: string | undefined;
  readonly apiToken: string | undefined;
  /** Everything that was set, for the child processes. */
  readonly inherited: Readonly<Record<string, string>>;
};

export function readEnvironment(
  source: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(source)) if (value) inherited[name] = value;
  return {
    amqpUrl: inherited['AMQP_URL'],
    databaseUrl: inherited['DATABASE_URL'],
    managementUrl: inherited['RABBITMQ_MANAGEMENT_URL'],
    port: inherited['PORT'],
    apiToken: inherited['API_TOKEN'],
    inherited,
  };
}
