// Grafana's boards: what they ask for exists in what the programs, a real RabbitMQ and a real postgres_exporter expose, and Prometheus takes every expression.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { boards } from '../../dev/boards/boards.ts';
import { runCommand } from '../../dev/command.ts';
import { freePorts } from '../../dev/free-port.ts';
import { describePrograms } from '../../dev/metrics-page.ts';
import { inspectDistribution } from '../../dev/services/machine.ts';
import { installPackages } from '../../dev/services/packages.ts';
import { eventually } from '../support/eventually.ts';
import { checkRules, findPromtoolObstacle } from '../support/promtool.ts';

const panels = boards.flatMap(({ title, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ ...panel, where: `${title}, ${panel.title}` }))),
);
const expressions = panels.flatMap(({ series, where }) => series.map(([expr]) => ({ expr, where })));
const namesIn = (expr: string, prefix: string) =>
  expr.match(new RegExp(`\\b${prefix}_[a-z0-9_]+`, 'g')) ?? [];
const namesOf = (prefix: string) => [...new Set(expressions.flatMap(({ expr }) => namesIn(expr, prefix)))];
const exposed = (text: string) => new Set(text.match(/^[a-zA-Z_][a-zA-Z0-9_]*/gm));

/** Labels that Prometheus itself adds to what it scrapes from a pod. */
const OF_THE_SCRAPE = ['namespace', 'pod', 'job', 'instance', 'le'];

test('every metric of the programs is one that they expose, with the labels that the board asks for', () => {
  const { api, worker } = describePrograms();
  const labels = new Map<string, readonly string[]>();
  for (const { name, type, labels: own } of [...api, ...worker])
    for (const suffix of type === 'histogram' ? ['_bucket', '_count', '_sum'] : [''])
      labels.set(`${name}${suffix}`, [...OF_THE_SCRAPE, ...own]);
  let matched = 0;
  for (const { expr, where } of expressions)
    for (const [, name = '', matchers = ''] of expr.matchAll(
      /\b((?:warren|process|http)_[a-z_]+)\{([^}]*)\}/g,
    )) {
      matched += 1;
      const asked = [...matchers.matchAll(/(\w+)(?==~?")/g)].map(([, label]) => label);
      expect({ where, name, known: labels.has(name) }).toEqual({ where, name, known: true });
      expect({ where, unknown: asked.filter((label) => !labels.get(name)?.includes(label ?? '')) }).toEqual({
        where,
        unknown: [],
      });
    }
  expect(matched).toBeGreaterThan(40);
  for (const { variables } of boards)
    for (const { metric, label } of variables) expect(labels.get(metric)).toContain(label);
});

test('the files are told apart, and each panel says what it means', () => {
  expect(new Set(boards.map(({ uid }) => uid)).size).toBe(boards.length);
  for (const { where, meaning, series } of panels) {
    expect(`${where}: ${meaning}`).toMatch(/\.$/);
    expect(series.length).toBeGreaterThan(0);
  }
});

const managementUrl = inject('managementUrl');
test.skipIf(managementUrl === undefined)(
  'every metric of RabbitMQ is one that its plugin exposes',
  async () => {
    const url = new URL(managementUrl ?? '');
    const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`;
    const answer = await fetch(`${url.origin}/api/overview`, { headers: { authorization } });
    const { listeners } = z
      .object({ listeners: z.array(z.object({ protocol: z.string(), port: z.int() })) })
      .parse(await answer.json());
    const port = listeners.find(({ protocol }) => protocol === 'http/prometheus')?.port;
    const names = exposed(await (await fetch(`http://${url.hostname}:${port}/metrics`)).text());
    expect(namesOf('rabbitmq').filter((name) => !names.has(name))).toEqual([]);
    expect(namesOf('rabbitmq').length).toBeGreaterThan(10);
  },
);

const exporter = 'prometheus-postgres-exporter';
/** Debian 12 has 0.11, which needs a file of queries of one's own for these. */
const SINCE_0_13 = ['pg_stat_user_tables_n_dead_tup', 'pg_stat_user_tables_n_live_tup'];
const exporterObstacle = await findExporterObstacle();
test.skipIf(exporterObstacle !== undefined)(
  `every metric of Postgres is one that postgres_exporter exposes${exporterObstacle ?? ''}`,
  async () => {
    const [port] = await freePorts(1);
    const child = spawn(exporter, [`--web.listen-address=127.0.0.1:${port}`], {
      env: { PATH: process.env['PATH'], DATA_SOURCE_NAME: `${inject('databaseUrl')}?sslmode=disable` },
      stdio: 'ignore',
    });
    const wanted = namesOf('pg').filter((name) => !SINCE_0_13.includes(name));
    try {
      const ask = async () => {
        const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
          (answer) => answer.text(),
          () => '',
        );
        return wanted.filter((name) => !exposed(text).has(name));
      };
      await eventually(ask, (missing) => missing.length === 0);
      expect(wanted.length).toBeGreaterThan(4);
    } finally {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  },
);

const promtoolObstacle = await findPromtoolObstacle();
describe.skipIf(promtoolObstacle !== undefined)(`promtool ${promtoolObstacle ?? ''}`, () => {
  test('takes every expression, with the variables of Grafana filled in', async () => {
    const rules = expressions.map(({ expr }, index) => ({
      record: `board:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$[a-z]+/g, '.*'),
    }));
    expect(await checkRules(rules)).toBe('');
    expect(await checkRules([{ record: 'board:wrong', expr: 'sum(rate(warren_jobs' }])).not.toBe('');
  });
});

async function findExporterObstacle(): Promise<string | undefined> {
  const answers = async () => (await runCommand(exporter, ['--version'], { timeoutMs: 60_000 })).status === 0;
  if (await answers()) return undefined;
  const { canInstall } = await inspectDistribution(runCommand);
  if (!canInstall) return ': it is missing, and only Debian or Ubuntu with root can install it here';
  await installPackages({ packages: [exporter], run: runCommand, log: console.log });
  return (await answers()) ? undefined : ': the package has not brought it';
}
