// From what a message costs to what a number of messages per second takes. Pure.

/** What one message costs, in microseconds of processor time by program, and in bytes. */
export interface Cost {
  publisherUs: number;
  consumerUs: number;
  rabbitmqUs: number;
  postgresUs: number;
  /** What Postgres writes to its log. */
  walBytes: number;
  /** What Postgres keeps: the message and its job, with their indexes. */
  storedBytes: number;
}

export interface Fleet {
  /** Processors in full use. */
  publisherCpus: number;
  consumerCpus: number;
  rabbitmqCpus: number;
  postgresCpus: number;
  /** Pods of one processor each, `utilization` of it in use. */
  publishers: number;
  consumers: number;
  walMbPerSecond: number;
  storedGbPerDay: number;
}

const SECONDS_PER_DAY = 86_400;

export function fleetFor(
  cost: Cost,
  { perSecond, utilization }: { perSecond: number; utilization: number },
): Fleet {
  const cpus = (us: number) => (us * perSecond) / 1e6;
  const pods = (us: number) => Math.ceil(cpus(us) / utilization);
  return {
    publisherCpus: cpus(cost.publisherUs),
    consumerCpus: cpus(cost.consumerUs),
    rabbitmqCpus: cpus(cost.rabbitmqUs),
    postgresCpus: cpus(cost.postgresUs),
    publishers: pods(cost.publisherUs),
    consumers: pods(cost.consumerUs),
    walMbPerSecond: (cost.walBytes * perSecond) / 1e6,
    storedGbPerDay: (cost.storedBytes * perSecond * SECONDS_PER_DAY) / 1e9,
  };
}

/** How many messages per second so many publishers answer, each with that share of a processor. */
export function publishedPerSecond(
  cost: Cost,
  { publishers, cpusEach }: { publishers: number; cpusEach: number },
): number {
  return (publishers * cpusEach * 1e6) / cost.publisherUs;
}
