/**
 * `warren doctor`: looks at the settings, Postgres, the fleet and RabbitMQ, and says what is wrong with them, how badly, and what to do.
 *
 * Guarantees: changes nothing unless it is asked to mend, and then only what changes no job; what cannot be looked at is a finding, too, and hides none of the others.
 */
import { errorMessage } from '#shared/base/errors.ts';
import type { DatabaseFacts } from '#shared/postgres/diagnosis/database-facts.ts';
import { readDatabaseFacts } from '#shared/postgres/diagnosis/database-facts.ts';
import { rebuildIndex, vacuumTable } from '#shared/postgres/diagnosis/mend.ts';
import { isMissingSchema } from '#shared/postgres/failures.ts';
import { readBrokerFacts } from '#shared/rabbitmq/broker-facts.ts';
import { openAudit } from '../audit.ts';
import { brokerChecks, managementChecks } from './broker-checks.ts';
import type { Check, Finding, PostgresFacts, SettingsFacts } from './check.ts';
import { fleetChecks } from './fleet-checks.ts';
import { jobChecks } from './job-checks.ts';
import { accessChecks, serverChecks, settingsChecks } from './postgres-checks.ts';

export interface Patient extends SettingsFacts {
  /** Undefined where the settings name none: `settings-wrong` says so, and no other server is asked in its place. */
  databaseUrl: string | undefined;
  databaseDirectUrl: string | undefined;
  amqpUrl: string;
  managementUrl: string | undefined;
  workerGrants: Readonly<Record<string, readonly string[]>>;
}

export interface Diagnosis {
  findings: Finding[];
  /** What was mended, a sentence each. */
  mended: string[];
}

/** Every check, for the documentation. */
export const allChecks: readonly Omit<Check<never>, 'find'>[] = [
  ...settingsChecks,
  ...accessChecks,
  ...serverChecks,
  ...fleetChecks,
  ...jobChecks,
  ...brokerChecks,
  ...managementChecks,
];

/** `mendsFor`: who wants it mended; undefined: nobody. */
export async function diagnose(
  patient: Patient,
  { mendsFor }: { mendsFor: string | undefined },
): Promise<Diagnosis> {
  const [postgres, broker] = await Promise.all([
    askPostgres(patient),
    patient.hasBroker ? readBrokerFacts(patient) : undefined,
  ]);
  const findings = [...run(settingsChecks, patient), ...run(accessChecks, { ...patient, ...postgres })];
  const { server, fleet, jobs } = postgres.database ?? {};
  if (server !== undefined) findings.push(...run(serverChecks, { ...patient, server }));
  if (server !== undefined && fleet !== undefined)
    findings.push(...run(fleetChecks, { ...patient, server, fleet }));
  if (jobs !== undefined) findings.push(...run(jobChecks, { ...patient, jobs }));
  if (broker !== undefined) {
    findings.push(...run(brokerChecks, { ...patient, broker }));
    const { management } = broker;
    if (management !== undefined && !('problem' in management))
      findings.push(...run(managementChecks, { ...patient, broker, management }));
  }
  const { database } = postgres;
  const url = wayToPostgres(patient);
  const mended =
    mendsFor === undefined || database === undefined || url === undefined
      ? []
      : await mend(url, database, mendsFor);
  return { findings, mended };
}

function run<Facts>(checks: readonly Check<Facts>[], facts: Facts): Finding[] {
  return checks.flatMap(({ code, severity, remedy, page, find }) =>
    find(facts).map((found) => ({ code, severity, detail: found, remedy, page })),
  );
}

type Asked = Pick<PostgresFacts, 'postgresProblem' | 'directProblem' | 'database'>;

/** Past the pooler where there is one, for that is Postgres itself. */
function wayToPostgres({ databaseUrl, databaseDirectUrl }: Patient): string | undefined {
  return databaseDirectUrl ?? databaseUrl;
}

async function askPostgres(patient: Patient): Promise<Asked> {
  const { databaseDirectUrl } = patient;
  const url = wayToPostgres(patient);
  if (url === undefined) return { postgresProblem: undefined, directProblem: undefined, database: undefined };
  try {
    const database = await readDatabaseFacts({ ...patient, url });
    return { postgresProblem: undefined, directProblem: undefined, database };
  } catch (error) {
    if (isMissingSchema(error)) throw error;
    const problem = errorMessage(error);
    return databaseDirectUrl === undefined
      ? { postgresProblem: problem, directProblem: undefined, database: undefined }
      : { postgresProblem: undefined, directProblem: problem, database: undefined };
  }
}

/** What mends one thing, and how it is called in the audit and in the report. */
interface Remedy {
  act: string;
  target: string;
  sentence: string;
  apply: () => Promise<void>;
}

/** Each is noted in the audit; what cannot be noted is not done. */
async function mend(url: string, { server }: DatabaseFacts, who: string): Promise<string[]> {
  const remedies: Remedy[] = [
    ...server.invalidIndexes.map((target) => ({
      act: 'indexes.rebuild',
      target,
      sentence: `built the index warren.${target} anew`,
      apply: () => rebuildIndex(url, target),
    })),
    ...server.bloatedTables.map(({ name: target }) => ({
      act: 'tables.vacuum',
      target,
      sentence: `vacuumed warren.${target}`,
      apply: () => vacuumTable(url, target),
    })),
  ];
  const by = { who, role: 'admin', address: null, detail: { command: 'warren doctor --fix' } };
  await using audit = openAudit(url);
  const done: string[] = [];
  for (const { act, target, sentence, apply } of remedies)
    done.push(
      await audit.record({ ...by, act, target }, apply).then(
        () => sentence,
        (error: unknown) => `not ${sentence}: ${errorMessage(error)}`,
      ),
    );
  return done;
}
