/**
 * The parts of a worker, made and connected with each other. Starts nothing: `worker.ts` says in which order they start and stop.
 *
 * Some know each other, so they ask when they need to: what a function here mentions may be made further below.
 */
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { Database } from '#shared/postgres/database.ts';
import { Presence } from '#shared/postgres/presence.ts';
import { BrokerConnection, NO_BROKER } from '#shared/rabbitmq/connection.ts';
import { prepareTopology } from '#shared/rabbitmq/topology.ts';
import type { Config } from '#shared/settings/config.ts';
import { ArgsRoom } from './args-room.ts';
import { Attempts } from './attempt.ts';
import { Claimer } from './claimer.ts';
import { Completer } from './completer.ts';
import type { Consumer, DeadLetter } from './consumer.ts';
import { FallbackLane } from './fallback-lane.ts';
import { ForeignJobs } from './foreign-jobs.ts';
import { HeldJobs } from './held-jobs.ts';
import { createChores } from './maintenance/chores.ts';
import { Maintenance } from './maintenance/maintenance.ts';
import { createNoticeHandler } from './notice-handler.ts';
import { OwnPublisher } from './own-publisher.ts';
import { createQuarantine } from './quarantine/quarantine.ts';
import { createQueueConsumers } from './queue-consumers.ts';
import { RowLooks } from './row-looks.ts';
import type { DeliveryHandlers } from './run-delivery.ts';
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

/** `giveUp` aborts when records are no longer tried again. */
export function createWorkerParts(options: WorkerOptions, giveUp: AbortSignal) {
  const { config, name, app, events } = options;
  const servers = createServers(options);
  const { database, connection, publisher } = servers;
  const argsRoom = new ArgsRoom(config.workerArgsMaxBytes);
  const held = new HeldJobs(argsRoom);
  const types = [...app.definitions.keys()];
  const presence: Presence = new Presence({
    url: config.databaseDirectUrl ?? config.databaseUrl,
    name,
    delivered: () => claimer.delivered,
    serves: { app: app.name, queues: config.workerQueues.map(({ queue }) => queue), types },
    onNotice: (notice) => onNotice(notice),
    restore: async (sql) => {
      const { restored, lost } = await held.restoreAll(sql, presence.owners);
      attempts.running.lose(lost);
      if (restored.length > 0) events.publish('claims.restored', { count: restored.length });
    },
    onHeld: () => {
      events.publish('presence.held', { owner: presence.owner ?? '' });
      void rowLooks.atPausedQueues();
      void rowLooks.atOwnJobs();
    },
    onLeading: () => maintenance.wakeAll(),
    onLost: (error) => events.publish('presence.lost', { error }),
  });
  const claimer: Claimer = new Claimer({ database, events, presence, room: argsRoom, held, types });
  const attempts = createAttempts(options, { ...servers, claimer, held, presence, giveUp });
  const handlers = createHandlers(options, { ...servers, attempts, giveUp });
  const at = name.slice(name.indexOf('@'));
  const served = config.amqpUrl === NO_BROKER ? [] : config.workerQueues;
  const byQueue = served.map((channels) =>
    createQueueConsumers(channels, { connection, publisher, database, events, handlers, at }),
  );
  const consumers = byQueue.flatMap((queue) => queue.consumers);
  const slots = byQueue.map((queue) => queue.slots);
  const fallbackLane = new FallbackLane({
    events,
    queues: config.workerQueues,
    isNeeded: () => connection.lostForMs > FALLBACK_AFTER_MS || publisher.isBlocked,
    claimNext: (wanted) => claimer.claimNext(wanted),
    run: (claim) => attempts.runClaimed(claim),
    runningIn: (queue) => attempts.running.of(queue),
  });
  const chores = createChores({
    database,
    events,
    publisher: () => publisher.open(),
    wakeRelay: () => maintenance.wake('relay'),
    kept: config,
  });
  const maintenance: Maintenance = new Maintenance({ presence, chores, events });
  const rowLooks = createRowLooks({ database, events, presence, claimer, attempts, consumers });
  const onNotice = createNoticeHandler({ attempts, rowLooks, maintenance, fallbackLane });
  return {
    ...servers,
    argsRoom,
    presence,
    ...handlers,
    slots,
    consumers,
    fallbackLane,
    maintenance,
    rowLooks,
  };
}

/** What takes deliveries, whatever is the matter with their jobs. */
function createHandlers(
  { config, events }: WorkerOptions,
  { attempts, database, publisher, giveUp }: Servers & { attempts: Attempts; giveUp: AbortSignal },
): DeliveryHandlers {
  const deadLetter = (letter: DeadLetter) => publisher.deadLetter(letter);
  return {
    attempts,
    unknownJobs: new UnknownJobs({ database, events, deadLetter, giveUp }),
    foreignJobs: new ForeignJobs({ database, events, queues: config.workerQueues }),
  };
}

type Servers = ReturnType<typeof createServers>;

/** What connects to Postgres and RabbitMQ, save for the presence. */
function createServers({ config, name, app, events }: WorkerOptions) {
  const { poolMin: min, poolMax, jobsPoolMax, amqpUrl: url } = config;
  const place = placeOf(config);
  const queues = [...app.queues.keys()];
  return {
    database: new Database({ ...place, name, min, max: poolMax, events }),
    services: new ApplicationServices(app, { ...place, name: `${name} jobs`, max: jobsPoolMax, events }),
    connection: new BrokerConnection({
      url,
      name,
      events,
      prepare: (model) => prepareTopology(model, queues),
    }),
    publisher: new OwnPublisher({ url, name, queues, events }),
  };
}

function placeOf({ databaseUrl: url, databaseDirectUrl }: Config) {
  return { url, isPooled: databaseDirectUrl !== undefined };
}

function createAttempts(
  { config, name, app, events }: WorkerOptions,
  {
    database,
    services,
    claimer,
    held,
    presence,
    giveUp,
  }: Pick<Servers, 'database' | 'services'> & {
    claimer: Claimer;
    held: HeldJobs;
    presence: Presence;
    giveUp: AbortSignal;
  },
): Attempts {
  const { module } = app;
  return new Attempts({
    claimer,
    completer: new Completer({ database, events, held, presence, giveUp }),
    definitions: app.definitions,
    resources: () => ({ services: services.services, settings: config, sql: services.sql, events }),
    events,
    quarantine: createQuarantine({ events, module, place: placeOf(config), name }),
    giveUp,
  });
}

interface LookedAt {
  database: Database;
  events: Events;
  presence: Presence;
  claimer: Claimer;
  attempts: Attempts;
  consumers: readonly Consumer[];
}

function createRowLooks({ database, events, presence, claimer, attempts, consumers }: LookedAt): RowLooks {
  return new RowLooks({
    database,
    events,
    owner: () => presence.owner,
    mayHold: () => claimer.mayHold,
    cancel: (jobId) => attempts.running.cancel(jobId),
    runUnheard: (jobIds) => attempts.runUnheard(jobIds),
    applyPauses: (paused) => {
      for (const consumer of consumers) {
        if (paused.has(consumer.queue)) consumer.pause();
        else consumer.resume();
      }
    },
  });
}
