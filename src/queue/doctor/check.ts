/**
 * What a check of `warren doctor` is, what it finds, and how it tells a time.
 */
import type { DatabaseFacts, FleetFacts, ServerFacts } from '#shared/postgres/diagnosis/database-facts.ts';
import type { JobFacts } from '#shared/postgres/diagnosis/job-facts.ts';
import type { BrokerFacts, ManagementFacts } from '#shared/rabbitmq/broker-facts.ts';

export type Severity = 'note' | 'warning' | 'error';

export interface Check<Facts> {
  code: string;
  severity: Severity;
  /** What it looks for, for the documentation. */
  looksFor: string;
  remedy: string;
  page: string;
  /** One sentence for each finding. */
  find(facts: Facts): string[];
}

export interface Finding {
  code: string;
  severity: Severity;
  detail: string;
  remedy: string;
  page: string;
}

/** What this machine and its settings say. */
export interface SettingsFacts {
  /** All that is wrong with them, in one line. */
  problem: string | undefined;
  unverifiedServers: readonly string[];
  wantedVersion: number;
  /** Postgres connections that one process may have. */
  poolOfProcess: number;
  queueType: 'quorum' | 'classic';
  queues: readonly string[];
  hasBroker: boolean;
}

export interface PostgresFacts extends SettingsFacts {
  /** Why Postgres cannot be asked. */
  postgresProblem: string | undefined;
  /** Why the way past a pooler cannot be used, or is none. */
  directProblem: string | undefined;
  database: DatabaseFacts | undefined;
}

export type WithServer = SettingsFacts & { server: ServerFacts };
export type WithFleet = WithServer & { fleet: FleetFacts };
export type WithJobs = SettingsFacts & { jobs: JobFacts };
export type WithBroker = SettingsFacts & { broker: BrokerFacts };
export type WithManagement = WithBroker & { management: ManagementFacts };

/** `since 2030-01-31T03:02:11Z`, to the second: as the options of other commands take it. */
export function since(time: Date | string): string {
  return `since ${new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')}`;
}
