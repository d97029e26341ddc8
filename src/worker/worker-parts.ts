/**
 * The parts of a worker, made and connected with each other. Starts nothing: `worker.ts` says in which order they start and stop.
 *
 * Some know each other, so they ask when they need to: what a function here mentions may be made further below.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { Database } from '#shared/postgres/database.ts';
import { BrokerConnection, NO_BROKER } from '#shared/rabbitmq/connection.ts';
import { prepareTopology } from '#shared/rabbitmq/topology.ts';
import type { Config } from '#shared/settings/config.ts';
import { ArgsRoom } from './args-room.ts';
import type { Attempts } from './attempt.ts';
import { Claimer } from './claimer.ts';
import type { DeadLetter } from './consumer.ts';
import { createAttempts } from './create-attempts.ts';
import { FallbackLane } from './fallback-lane.ts';
import { ForeignJobs } from './foreign-jobs.ts';
import { HeldJobs } from './held-jobs.ts';
import { choosePerform } from './isolation/choose-perform.ts';
import { Isolation } from './isolation/isolation.ts';
import { createQuarantine } from './isolation/quarantine.ts';
import { createArchive } from './maintenance/archive.ts';
import { createChores } from './maintenance/chores.ts';
import { Maintenance } from './maintenance/maintenance.ts';
import { createAdmission } from './own-admission.ts';
import type { WorkerSignals } from './own-presence.ts';
import { createPresence } from './own-presence.ts';
import { OwnPublisher } from './own-publisher.ts';
import type { Perform } from './perform.ts';
import { QueueConsumers } from './queue-consumers.ts';
import { createRowLooks } from './row-looks.ts';
import type { DeliveryHandlers } from './run-delivery.ts';
import { ServedQueues } from './served-queues.ts';
import { UnknownJobs } from './unknown-jobs.ts';

/** How long the broker may be away before jobs are taken straight from Postgres, in milliseconds. */
const FALLBACK_AFTER_MS = 2_000;

export interface WorkerOptions {
  config: Config;
  /** The name of its connections. */
  name: string;
  app: App;
  /** Told of what happens in it. */
  events: Events;
}

export type WorkerParts = ReturnType<typeof createWorkerParts>;

export function createWorkerParts(options: WorkerOptions, signals: WorkerSignals) {
  const { giveUp } = signals;
  const { config, name, app, events } = options;
  const servers = createServers(options);
  const { queueType, database, connection, publisher } = servers;
  const argsRoom = new ArgsRoom(config.workerArgsMaxBytes);
  const held = new HeldJobs(argsRoom);
  const types = [...app.definitions.keys()];
  const { presence, vitals } = createPresence({
    ...options,
    ...signals,
    held,
    parts: () => ({ claimer, attempts, queues, rowLooks, maintenance, fallbackLane }),
  });
  const claimer: Claimer = new Claimer({ database, events, presence, room: argsRoom, held, types });
  const { perform, isolation } = createPerform(options, () => presence.owners);
  const onFreed = (gates: readonly string[]) => servers.admission.admit(gates);
  const inAttempts = { ...options, ...servers, claimer, held, presence, onFreed, perform, giveUp };
  const { attempts, notes } = createAttempts(inAttempts);
  const slotsOf = (queue: string) => queues.slotsOf(queue);
  const handlers = createHandlers(options, { ...servers, attempts, giveUp, slotsOf });
  const at = name.slice(name.indexOf('@'));
  const queues: ServedQueues = new ServedQueues({
    queues: config.workerQueues,
    createConsumers:
      config.amqpUrl === NO_BROKER
        ? undefined
        : (queue) =>
            new QueueConsumers(queue, { connection, queueType, publisher, database, events, handlers, at }),
  });
  const fallbackLane = new FallbackLane({
    events,
    queues: () => queues.current,
    isNeeded: () => connection.lostForMs > FALLBACK_AFTER_MS || publisher.isBlocked,
    claimNext: (wanted) => claimer.claimNext(wanted),
    run: (claim) => attempts.runClaimed(claim),
    runningIn: (queue) => attempts.running.of(queue),
  });
  const chores = createChores({
    ...servers,
    events,
    publisher: () => publisher.open(),
    wakeRelay: () => maintenance.wake('relay'),
    kept: { ...config, archive: createArchive(app, config) },
  });
  const maintenance: Maintenance = new Maintenance({ presence, chores, events });
  const rowLooks = createRowLooks({ database, events, presence, claimer, attempts, queues });
  return {
    ...servers,
    argsRoom,
    ...{ notes, isolation, presence, vitals },
    ...handlers,
    queues,
    fallbackLane,
    maintenance,
    rowLooks,
  };
}

/** What takes deliveries, whatever is the matter with their jobs. */
function createHandlers(
  { events }: WorkerOptions,
  {
    attempts,
    database,
    publisher,
    giveUp,
    slotsOf,
  }: Servers & { attempts: Attempts; giveUp: AbortSignal; slotsOf: (queue: string) => number },
): DeliveryHandlers {
  const deadLetter = (letter: DeadLetter) => publisher.deadLetter(letter);
  return {
    attempts,
    unknownJobs: new UnknownJobs({ database, events, deadLetter, giveUp }),
    foreignJobs: new ForeignJobs({ database, events, slotsOf }),
  };
}

type Servers = ReturnType<typeof createServers>;

/** What connects to Postgres and RabbitMQ, save for the presence. */
function createServers({ config, name, app, events }: WorkerOptions) {
  const { poolMin: min, poolMax, jobsPoolMax, amqpUrl: url, queueType } = config;
  const place = placeOf(config);
  const queues = [...app.queues.keys()];
  const database = new Database({ ...place, name, min, max: poolMax, events });
  const publisher = new OwnPublisher({ url, name, queues, queueType, events });
  return {
    queueType,
    database,
    services: new ApplicationServices(app, { ...place, name: `${name} jobs`, max: jobsPoolMax, events }),
    connection: new BrokerConnection({
      url,
      name,
      events,
      prepare: (model) => prepareTopology(model, queues, queueType),
    }),
    publisher,
    admission: createAdmission({ app, database, publisher, events }),
  };
}

function placeOf({ databaseUrl: url, databaseDirectUrl }: Config) {
  return { url, isPooled: databaseDirectUrl !== undefined };
}

/** Where handlers run: here, or in a thread or process of their own. */
function createPerform(
  { config, name, app, events }: WorkerOptions,
  owners: () => readonly string[],
): { perform: Perform; isolation: Isolation } {
  const elsewhere = { app, events, place: placeOf(config), name, owners };
  const isolation = new Isolation(elsewhere);
  const quarantine = createQuarantine(elsewhere);
  return { perform: choosePerform({ quarantine, isolated: isolation.perform }), isolation };
}
