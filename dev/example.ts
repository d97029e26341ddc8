// `npm run example -- NAME`: one of the examples with everything that it needs: servers, schema, its programs.
// Guarantees: what this started ends with it, whether it succeeds, fails or is interrupted.
import { join, resolve } from 'node:path';
import { migrate } from '../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../src/shared/program/load-app.ts';
import { readCommandLine } from './command-line.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './environment.ts';
import type { Example } from './example/programs-file.ts';
import { exampleNames, furtherAddresses, planExample, readExample } from './example/programs-file.ts';
import { readFreePort } from './free-port.ts';
import { ProcessRecord } from './process-record.ts';
import type { Services } from './services.ts';
import { startServices } from './services.ts';
import type { ProgramPlan, Programs } from './start/programs.ts';
import { startPrograms } from './start/programs.ts';
import type { Stopping } from './stop-signals.ts';
import { runUntilStopped } from './stop-signals.ts';

const root = resolve(import.meta.dirname, '..');
const defaultPort = '3000';
const print = (line: string) => process.stdout.write(`${line}\n`);

type Run = Stopping & {
  readonly example: Example;
  readonly environment: Environment;
  readonly folder: string;
  readonly exit: boolean;
};

async function run({
  example,
  environment,
  exit,
  stopping,
  received,
  killers,
  ...options
}: Run): Promise<void> {
  const folder = resolve(root, options.folder, example.name);
  const record = await ProcessRecord.claim({ file: join(folder, 'programs.json'), log: print });
  killers.push(() => record.killAll());
  await using started = new AsyncDisposableStack();
  started.defer(() => record.release());
  const port = await readFreePort(environment.port ?? defaultPort, `npm run example -- ${example.name}`);
  const services = started.use(
    await startServices({
      folder,
      log: print,
      environment,
      also: example.needs.filter((need) => need !== 'rabbitmq-cluster'),
      replicated: example.needs.includes('rabbitmq-cluster'),
      signal: stopping,
    }),
  );
  killers.push(() => services.kill());
  const app = join(example.folder, 'app.ts');
  const { databaseUrl, amqpUrl } = services;
  await migrate({ databaseUrl, app: await loadApp(app) });
  stopping.throwIfAborted();
  const env = {
    ...environment.inherited,
    ...Object.fromEntries(keyValueRows(services).map(({ setting, url }) => [setting, url])),
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    WARREN_APP: app,
  };
  const plans = await planExample(example, port);
  const programs = started.use(await startPrograms({ plans, env, record, log: print, signal: stopping }));
  print(describe({ example, plans, programs, services }));
  if (exit) return;
  print('Ctrl-C stops everything.');
  await received;
  print('Stopping … (Ctrl-C again stops at once)');
}

type Running = { example: Example; plans: readonly ProgramPlan[]; programs: Programs; services: Services };

function describe({
  example: { name, about, programs: described },
  plans,
  programs,
  services,
}: Running): string {
  const rows = [
    ...programs.programs.map(({ name: title, url, program }, index) => {
      const further = furtherAddresses(described[index]?.ports ?? [], plans[index]);
      return [title, [url, ...further, `(pid ${program.pid})`].join('  ')];
    }),
    ['Postgres', services.databaseUrl],
    ['RabbitMQ', services.amqpUrl],
    ...keyValueRows(services).map(({ title, url }) => [title, url]),
    ['try', `the commands of examples/${name}/README.md`],
  ];
  const lines = rows.map(([title = '', text]) => `  ${title.padEnd(14)} ${text}`);
  return `\n${name}: ${about}\n${lines.join('\n')}\n`;
}

const keyValueServers = [
  { need: 'redis', title: 'Redis', setting: 'REDIS_URL' },
  { need: 'valkey', title: 'Valkey', setting: 'VALKEY_URL' },
] as const;

/** Those that the example needs. */
function keyValueRows({ keyValueUrls }: Services): { title: string; setting: string; url: string }[] {
  return keyValueServers.flatMap(({ need, title, setting }) => {
    const url = keyValueUrls[need];
    return url === undefined ? [] : [{ title, setting, url }];
  });
}

async function main(): Promise<void> {
  const [, , name, ...args] = process.argv;
  const isNamed = name !== undefined && !name.startsWith('-');
  const options = readCommandLine(
    {
      name: 'npm run example',
      about: `Runs an example with everything that it needs. First its name: ${exampleNames().join(', ')}.`,
      flags: {
        exit: { meaning: 'ends when the example is ready' },
        folder: {
          value: 'PATH',
          default: '.services/examples',
          meaning:
            'below it each example has a folder: the data of its private servers, and the record of what runs',
        },
      },
    },
    isNamed ? args : process.argv.slice(2),
  );
  await runUntilStopped(async (signals) => {
    const example = readExample(isNamed ? name : undefined);
    await run({ ...options, ...signals, example, environment: readEnvironment() });
  });
}

await main();
