// What `npm start` prints at the end: where everything is, and what to try next.
import type { Environment } from '../environment.ts';
import type { Services } from '../services.ts';
import type { Program } from './programs.ts';

type Row = readonly [title: string, text: string];

type Fleet = { readonly apiUrl: string; readonly workers: readonly Program[] };

export function describeRunning(
  { databaseUrl, amqpUrl, managementUrl }: Pick<Services, 'databaseUrl' | 'amqpUrl' | 'managementUrl'>,
  { apiUrl, workers }: Fleet,
): string {
  const rows: Row[] = [
    ['API', apiUrl],
    ['dashboard', `${apiUrl}/dashboard`],
    ['documentation', `${apiUrl}/docs`],
    ...workers.map(({ program, url }): Row => [program.name, `${url}/metrics  (pid ${program.pid})`]),
    ['Postgres', databaseUrl],
    ['RabbitMQ', amqpUrl],
  ];
  const management = URL.parse(managementUrl);
  if (management !== null) {
    const { origin, username, password } = management;
    rows.push(['admin panel', `${origin}  (user ${username}, password ${password})`]);
  }
  return align(rows);
}

export function describeNextSteps(
  { managementUrl }: Pick<Services, 'managementUrl'>,
  { apiUrl, workers }: Fleet,
  { apiToken }: Pick<Environment, 'apiToken'>,
): string {
  const token = apiToken === undefined ? '' : '-H "Authorization: Bearer $API_TOKEN" ';
  const [worker] = workers;
  const panel = URL.canParse(managementUrl) ? ', and the connections and queues in the admin panel' : '';
  return [
    'Try next:',
    align([
      ['look', `${apiUrl}/dashboard: what waits, runs and has failed`],
      ['read', `${apiUrl}/docs${panel}`],
      ['load it', `ab -n 3000 -c 100 ${token}${apiUrl}/api/test/1`],
      [
        'lose a worker',
        `kill -9 ${worker?.program.pid}  (its jobs go on in the other one; it is started again)`,
      ],
    ]),
  ].join('\n');
}

function align(rows: readonly Row[]): string {
  return rows.map(([title, text]) => `  ${title.padEnd(14)} ${text}`).join('\n');
}
