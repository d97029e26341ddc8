import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Misconfigured } from '../../../src/shared/base/errors.ts';
import { noEncryption } from '../../../src/shared/job/encryption.ts';
import { processName, readConfig } from '../../../src/shared/settings/config.ts';
import { app } from '../../support/shop.ts';

const DAY_MS = 86_400_000;
const required = { DATABASE_URL: 'postgres://localhost/warren', AMQP_URL: 'amqp://localhost' };

/** The message of the refusal. */
function refusal(environment: Record<string, string>, program: 'api' | 'worker' = 'worker'): string {
  try {
    readConfig(program, app, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(Misconfigured);
    return (error as Error).message;
  }
  throw new Error('the settings were accepted');
}

test('without anything but the two URLs every setting has the default of the contract', () => {
  expect(readConfig('worker', app, required)).toEqual({
    databaseUrl: 'postgres://localhost/warren',
    amqpUrl: 'amqp://localhost',
    queueType: 'quorum',
    poolMin: 2,
    poolMax: 10,
    retention: { completed: 7 * DAY_MS, cancelled: 30 * DAY_MS, discarded: 30 * DAY_MS },
    auditMs: 90 * 86_400_000,
    idempotencyKeyMs: DAY_MS,
    jobsPoolMax: 10,
    host: '127.0.0.1',
    port: 3000,
    apiToken: undefined,
    tokensFile: undefined,
    apiHosts: new Set(),
    apiDrainMs: 5_000,
    apiBodyBytes: 25_165_824,
    eventWatchersMax: 100,
    publisherChannels: 4,
    workerQueues: [
      { queue: 'critical', channels: 5, prefetch: 20 },
      { queue: 'default', channels: 5, prefetch: 20 },
      { queue: 'webhooks', channels: 5, prefetch: 20 },
      { queue: 'reports', channels: 5, prefetch: 1 },
    ],
    workerArgsMaxBytes: 8_388_608,
    workerHealthPort: 9090,
    drainTimeoutMs: 25_000,
    renewAfter: { jobs: undefined, memoryMb: undefined, ms: undefined },
    logLevel: 'info',
    webhookAllowPrivate: false,
    webhookAllowedDestinations: [],
    webhookNameservers: [],
    webhookSecrets: [],
    encryption: noEncryption,
  });
});

test('an empty variable counts as not set', () => {
  expect(readConfig('worker', app, { ...required, DATABASE_POOL_MAX: '', LOG_LEVEL: '' })).toMatchObject({
    poolMax: 10,
    logLevel: 'info',
  });
  expect(refusal({ ...required, AMQP_URL: '' })).toContain('AMQP_URL is required');
});

test('all that is wrong is reported together, in one line', () => {
  const message = refusal({ AMQP_URL: 'http://localhost', PORT: '99999', LOG_LEVEL: 'loud' });
  expect(message).not.toContain('\n');
  expect(message).toMatch(
    /DATABASE_URL is required.*AMQP_URL must be a URL that begins with amqp:.*PORT.*LOG_LEVEL/,
  );
});

test.each([
  ['DATABASE_URL', 'mysql://localhost/warren'],
  ['DATABASE_URL', 'localhost'],
  ['DATABASE_URL', 'postgres://me:100%@localhost/warren'],
  ['AMQP_URL', 'nothing'],
  ['DATABASE_POOL_MAX', '0'],
  ['DATABASE_POOL_MAX', '1e3'],
  ['DATABASE_POOL_MAX', '-1'],
  ['DATABASE_POOL_MAX', '2.5'],
  ['DATABASE_POOL_MAX', ' 5'],
  ['DRAIN_TIMEOUT_MS', '1h'],
  ['WEBHOOK_ALLOW_PRIVATE', 'yes'],
  ['WEBHOOK_SECRET', 'no base64!'],
  ['API_AUTH', 'off'],
  ['API_HOSTS', 'https://jobs.example'],
  ['API_HOSTS', 'jobs.example/path'],
  ['WEBHOOK_ALLOWED_DESTINATIONS', '127.0.0.1'],
  ['WEBHOOK_ALLOWED_DESTINATIONS', '10.0.0.0/8:80'],
  ['WEBHOOK_NAMESERVERS', 'ns.example'],
  ['WEBHOOK_NAMESERVERS', '10.0.0.2:99999'],
  ['TRACE_URL_TEMPLATE', 'javascript:alert({traceId})'],
])('%s=%s is refused by name', (name, value) => {
  expect(refusal({ ...required, [name]: value })).toContain(name);
});

test.each(['amqp://a,amqp://b', 'amqp://a:5672,b:99999', 'amqp://a,b:x'])(
  'AMQP_URL=%s, of which one node is wrong, is refused',
  (AMQP_URL) => {
    expect(refusal({ ...required, AMQP_URL })).toContain('AMQP_URL must be a URL');
  },
);

test('AMQP_URL may name several nodes', () => {
  const AMQP_URL = 'amqp://me:secret@a:5672,b:5672/vhost';
  expect(readConfig('worker', app, { ...required, AMQP_URL }).amqpUrl).toBe(AMQP_URL);
});

test('AMQP_URL=none says that there is no broker', () => {
  expect(readConfig('worker', app, { ...required, AMQP_URL: 'none' }).amqpUrl).toBe('none');
});

test('a smallest pool above the largest is refused', () => {
  expect(refusal({ ...required, DATABASE_POOL_MIN: '5', DATABASE_POOL_MAX: '4' })).toContain(
    'DATABASE_POOL_MIN is above DATABASE_POOL_MAX',
  );
});

describe('WORKER_QUEUES', () => {
  test('is a list of queue:channels:prefetch', () => {
    const { workerQueues } = readConfig('worker', app, {
      ...required,
      WORKER_QUEUES: 'reports:1:1, critical:100:2000',
    });
    expect(workerQueues).toEqual([
      { queue: 'reports', channels: 1, prefetch: 1 },
      { queue: 'critical', channels: 100, prefetch: 2000 },
    ]);
  });

  test.each([
    ['default', '"default" is not queue:channels:prefetch'],
    ['default:5', '"default:5" is not queue:channels:prefetch'],
    ['default:5:20:1', '"default:5:20:1" is not queue:channels:prefetch'],
    ['default:0:20', '"default:0:20" is not queue:channels:prefetch'],
    ['default:5:0', '"default:5:0" is not queue:channels:prefetch'],
    ['default:101:20', '"default:101:20" is not queue:channels:prefetch'],
    ['default:5:2001', '"default:5:2001" is not queue:channels:prefetch'],
    ['default:5:1e1', '"default:5:1e1" is not queue:channels:prefetch'],
    ['default:5:20,', '"" is not queue:channels:prefetch'],
    [
      'express:5:20',
      '"express" is no queue of the application: there are critical, default, webhooks, reports',
    ],
    ['Express:5:20', '"Express" is no name of a queue'],
    ['default:1:1,default:2:2', 'a queue stands twice'],
  ])('%j is refused: %s', (queues, message) => {
    expect(refusal({ ...required, WORKER_QUEUES: queues })).toContain(`WORKER_QUEUES ${message}`);
  });
});

describe('an API that would listen on a public address', () => {
  const open = { ...required, HOST: '0.0.0.0' };

  test('is refused without a token', () => {
    expect(refusal(open, 'api')).toContain('HOST 0.0.0.0 is public: set API_TOKEN');
    expect(refusal({ ...required, HOST: '127.0.0.1.example.com' }, 'api')).toContain('is public');
  });

  test('is let with a token, or where everybody is let in on purpose', () => {
    expect(readConfig('api', app, { ...open, API_TOKEN: 'secret' }).apiToken).toBe('secret');
    expect(readConfig('api', app, { ...open, API_AUTH: 'none' }).host).toBe('0.0.0.0');
  });

  test.each(['localhost', '127.0.0.1', '127.9.9.9', '::1'])('is not meant by %s', (host) => {
    expect(readConfig('api', app, { ...required, HOST: host }).host).toBe(host);
  });

  test('is not a worker, whose health server tells no secrets', () => {
    expect(readConfig('worker', app, open).host).toBe('0.0.0.0');
  });
});

describe('the hosts that the API answers', () => {
  const hosts = (environment: Record<string, string>) =>
    readConfig('api', app, { ...required, ...environment }).apiHosts;

  test('are those of this machine where it listens there without a token', () => {
    expect(hosts({})).toEqual(new Set());
    expect(hosts({ API_AUTH: 'none' })).toEqual(new Set());
    expect(hosts({ API_HOSTS: 'Jobs.example, [::2]:80' })).toEqual(new Set(['jobs.example', '[::2]:80']));
  });

  test('are all with a token or on a public address, unless they are listed', () => {
    expect(hosts({ API_TOKEN: 'secret' })).toBeUndefined();
    expect(hosts({ HOST: '0.0.0.0', API_AUTH: 'none' })).toBeUndefined();
    const listed = { API_HOSTS: 'jobs.example' };
    expect(hosts({ ...listed, API_TOKEN: 'secret' })).toEqual(new Set(['jobs.example']));
    expect(hosts({ ...listed, HOST: '0.0.0.0', API_AUTH: 'none' })).toEqual(new Set(['jobs.example']));
  });
});

describe('WEBHOOK_SECRET', () => {
  const secrets = (text: string) =>
    readConfig('worker', app, { ...required, WEBHOOK_SECRET: text }).webhookSecrets;
  const keyOf = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64');

  test('is 24 to 64 bytes in base64, with or without whsec_', () => {
    for (const secret of [keyOf(24), keyOf(25), keyOf(64), `whsec_${keyOf(32)}`])
      expect(secrets(secret)).toEqual([secret]);
  });

  test.each(['a', 'ab', 'whsec_a', keyOf(1), keyOf(23), keyOf(65), 'whsec_', ',', `${keyOf(32)},a`])(
    '%j is refused without being told',
    (text) => {
      const message = refusal({ ...required, WEBHOOK_SECRET: text });
      expect(message).toMatch(/WEBHOOK_SECRET (must be (24 to 64 bytes in )?base64|lists nothing)/);
      expect(message).not.toContain(keyOf(32));
    },
  );

  test('may be several, newest first', () => {
    const [newer, older] = [keyOf(32), `whsec_${keyOf(24)}`];
    for (const between of [' ', ',', ', ', '\n'])
      expect(secrets(`${newer}${between}${older}`)).toEqual([newer, older]);
  });
});

describe('a secret in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-secrets-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileOf = (text: string): string => {
    const path = join(folder, randomUUID());
    writeFileSync(path, text);
    return path;
  };

  test('is read for every secret setting, without the line feed at its end', () => {
    const { AMQP_URL, DATABASE_URL } = required;
    const secret = Buffer.alloc(32).toString('base64');
    const config = readConfig('api', app, {
      DATABASE_URL_FILE: fileOf(`${DATABASE_URL}\n`),
      AMQP_URL_FILE: fileOf(AMQP_URL),
      API_TOKEN_FILE: fileOf(' spaces stay \r\n'),
      WEBHOOK_SECRET_FILE: fileOf(`${secret}\n`),
    });
    expect(config).toMatchObject({
      databaseUrl: DATABASE_URL,
      amqpUrl: AMQP_URL,
      apiToken: ' spaces stay ',
      webhookSecrets: [secret],
    });
  });

  test('is for secrets alone', () => {
    expect(readConfig('api', app, { ...required, PORT_FILE: fileOf('1') }).port).toBe(3000);
  });

  test('beside its variable is refused', () => {
    const message = refusal({ ...required, API_TOKEN: 'told', API_TOKEN_FILE: fileOf('written') });
    expect(message).toContain('API_TOKEN and API_TOKEN_FILE are both set');
    expect(message).not.toMatch(/told|written/);
  });

  test.each([
    ['is missing', () => join(folder, 'missing'), 'ENOENT'],
    ['is a folder', () => folder, 'is not a file'],
    ['is a device without end', () => '/dev/zero', 'is not a file'],
    ['is empty', () => fileOf('\n'), 'is empty'],
    ['is too large', () => fileOf('x'.repeat(65_537)), 'is larger than 65536 bytes'],
  ])('that %s is refused by name, once', (_, path, reason) => {
    const message = refusal({ AMQP_URL: required.AMQP_URL, DATABASE_URL_FILE: path() });
    expect(message).toContain('DATABASE_URL_FILE');
    expect(message).toContain(reason);
    expect(message).not.toContain('is required');
  });

  test('has to fit the setting as its variable has to', () => {
    expect(refusal({ ...required, WEBHOOK_SECRET_FILE: fileOf('a') })).toContain('WEBHOOK_SECRET must be');
  });
});

test('the name of a process fits into the 63 bytes of application_name, the presence connection included', () => {
  expect(processName('api')).toMatch(new RegExp(`^warren-api@[^:]+:${process.pid}$`));
  expect(Buffer.byteLength(`${processName('worker')} presence`)).toBeLessThanOrEqual(63);
});

test('nameservers for webhooks are addresses, with a port or without', () => {
  const read = (text: string) => readConfig('worker', app, { ...required, WEBHOOK_NAMESERVERS: text });
  expect(read('10.0.0.2, [fd00::2]:5353').webhookNameservers).toEqual(['10.0.0.2', '[fd00::2]:5353']);
  expect(read('').webhookNameservers).toEqual([]);
});

test('jobs may be kept for a part of a day, and for no time that is no number', () => {
  const { retention } = readConfig('worker', app, { ...required, RETENTION_COMPLETED_DAYS: '0.5' });
  expect(retention.completed).toBe(DAY_MS / 2);
  for (const days of ['-1', '1e3', 'x', '36501', '.5'])
    expect(refusal({ ...required, RETENTION_COMPLETED_DAYS: days })).toMatch(
      /RETENTION_COMPLETED_DAYS must be/,
    );
});
