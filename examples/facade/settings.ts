/**
 * What the three kinds of services are told: environment variables, and the one file that says where each service is.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const addressesSchema = z.strictObject({
  logging: z.array(z.url()).min(1),
  messages: z.array(z.url()).min(1),
});

/** Where the services are: the URLs of all logging-services and of all messages-services. */
export type Addresses = z.infer<typeof addressesSchema>;

/** From the file that `ADDRESSES` names, `addresses.json` beside this one by default. `$NAME` in it stands for an environment variable. Throws what is wrong with it. */
export function readAddresses(): Addresses {
  const path = process.env['ADDRESSES'] || fileURLToPath(new URL('addresses.json', import.meta.url));
  const text = readFileSync(path, 'utf8').replaceAll(/\$([A-Z0-9_]+)/g, (_, name) => required(name));
  return addressesSchema.parse(JSON.parse(text));
}

/** The servers that the services share. Throws where one is missing. */
export function servers(): { databaseUrl: string; amqpUrl: string } {
  return { databaseUrl: required('DATABASE_URL'), amqpUrl: required('AMQP_URL') };
}

/** Where a service listens. */
export function listenAt(): { port: number; hostname: string } {
  return { port: Number(process.env['PORT'] || 3000), hostname: process.env['HOST'] || '127.0.0.1' };
}

/** The variable `name`, or the content of the file that `name_FILE` names. */
function required(name: string): string {
  const file = process.env[`${name}_FILE`];
  const value = file ? readFileSync(file, 'utf8').trim() : process.env[name];
  if (!value) throw new Error(`${name} is missing`);
  return value;
}
