/**
 * The command `warren doctor`: reads the settings as the programs do, has everything looked at, and shows what was found, the worst first.
 */
import type { Command } from 'commander';
import type { Diagnosis, Patient } from '#queue/doctor/doctor.ts';
import { newestVersion } from '#shared/postgres/migrate/migrate.ts';
import { loadApp } from '#shared/program/load-app.ts';
import { readAppModule, readForDiagnosis } from '#shared/settings/config.ts';
import { findUnverifiedServers } from '#shared/settings/transport-security.ts';
import { WORKER_GRANTS } from '#worker/grants.ts';
import { exitCodes } from './exit-code.ts';
import { personAtTerminal } from './person.ts';
import type { Terminal } from './terminal.ts';
import { textOptions } from './terminal.ts';
import { paintState, toText } from './text-table.ts';

const SEVERITIES = ['error', 'warning', 'note'] as const;

export function addDoctor(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .summary('Look for what is wrong with the settings, Postgres, the fleet and RabbitMQ')
    .description(
      'Look for what is wrong with the settings, Postgres, the fleet and RabbitMQ, and say what to do. On DATABASE_URL, AMQP_URL and, for alarms and bindings, RABBITMQ_MANAGEMENT_URL. What others run in Postgres is seen with `pg_read_all_stats`.',
    )
    .option('--fix', 'mend what can be mended without changing a job: invalid indexes, dead rows')
    .option('--json', 'print the findings as JSON, for programs')
    .option('--app <module>', 'the module that exports the application as `app`; defaults to WARREN_APP')
    .action(async ({ app, fix = false, json = false }: { app?: string; fix?: boolean; json?: boolean }) => {
      const { diagnose } = await import('#queue/doctor/doctor.ts');
      const diagnosis = await diagnose(await readPatient(app ?? readAppModule()), {
        mendsFor: fix ? personAtTerminal() : undefined,
      });
      terminal.out.write(`${json ? JSON.stringify(diagnosis) : toReport(diagnosis, terminal)}\n`);
      const found = new Set(diagnosis.findings.map(({ severity }) => severity));
      if (found.has('error')) terminal.setExitCode(exitCodes.faulty.code);
      else if (found.has('warning')) terminal.setExitCode(exitCodes.warned.code);
    });
}

async function readPatient(module: string): Promise<Patient> {
  const app = await loadApp(module);
  const { config, problem, databaseUrl, managementUrl } = readForDiagnosis(app);
  const amqpUrl = config?.amqpUrl ?? 'none';
  return {
    problem,
    unverifiedServers: config === undefined ? [] : findUnverifiedServers(config),
    wantedVersion: newestVersion(),
    poolOfProcess: (config?.poolMax ?? 0) + 1, // and the one that holds a worker's presence
    queueType: config?.queueType ?? 'quorum',
    queues: [...app.queues.keys()],
    hasBroker: amqpUrl !== 'none',
    databaseUrl: config?.databaseUrl ?? databaseUrl,
    databaseDirectUrl: config?.databaseDirectUrl,
    amqpUrl,
    managementUrl,
    workerGrants: WORKER_GRANTS,
  };
}

function toReport({ findings, mended }: Diagnosis, terminal: Terminal): string {
  const options = textOptions(terminal);
  const ordered = SEVERITIES.flatMap((severity) =>
    findings.filter((finding) => finding.severity === severity),
  );
  const texts = ordered.map(
    ({ severity, code, detail, remedy, page }) =>
      `${paintState(severity, options)} ${code}: ${toText(detail)}\n  → ${remedy} (${page})`,
  );
  const done = mended.map((sentence) => `mended: ${toText(sentence)}`);
  const counts = SEVERITIES.map((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return `${count} ${severity}${count === 1 ? '' : 's'}`;
  });
  return [...texts, ...done, findings.length === 0 ? 'nothing is wrong' : counts.join(', ')].join('\n');
}
