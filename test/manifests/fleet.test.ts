// The manifests and the programs agree: settings, ports, grace, bounds, connections, names.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/shared/settings/config.ts';
import { settings } from '../../src/shared/settings/settings.ts';
import { HANG_MS } from '../support/eventually.ts';
import type { ProgramName } from '../support/fleet-settings.ts';
import {
  allowedConnections,
  containerOf,
  deploymentOf,
  environmentOf,
  mostConnections,
  readSecret,
  scalersOf,
} from '../support/fleet-settings.ts';
import type { Manifest, Mix } from '../support/manifests.ts';
import { containersOf, kubectlObstacle, pick, podTemplates, render } from '../support/manifests.ts';
import { app, queueNames } from '../support/shop.ts';

const root = resolve(import.meta.dirname, '../..');
const overlay = (name: string): Mix => ({ from: `overlays/${name}`, components: [] });
const fleets = [
  ['the base', { from: 'base', components: [] }],
  ['minikube', overlay('minikube')],
  ['production', overlay('production')],
] as const;
/** Rendering starts a process. */
const programs: ProgramName[] = ['api', 'worker'];
/** Variables that Node itself reads. */
const ofNode = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS'];
/** One that the Postgres client reads. */
const ofPostgres = ['PGSSL'];
/** What aborted handlers and closing may take after the drain time (src/worker/worker.ts). */
const closingMs = 8_000;
/** What requests under way may take (src/shared/http/http-server.ts). */
const requestsMs = 10_000;

const rendered = new Map<string, Manifest[]>();
function manifestsOf(mix: Mix): Manifest[] {
  const key = JSON.stringify(mix);
  const manifests = rendered.get(key) ?? render(mix);
  rendered.set(key, manifests);
  return manifests;
}

describe.skipIf(kubectlObstacle !== undefined)(kubectlObstacle ?? 'the fleet', { timeout: HANG_MS }, () => {
  describe.each(fleets)('%s', (_, mix) => {
    test.each(programs)('gives the %s settings that it knows, and can start with', (program) => {
      const manifests = manifestsOf(mix);
      const container = containerOf(manifests, program);
      const environment = environmentOf(manifests, container);
      const referred = (container.env ?? []).flatMap(({ value = '' }) =>
        [...value.matchAll(/\$\(([^)]+)\)/g)].map(([, name]) => name),
      );
      const known = [...Object.keys(settings), ...ofNode, ...ofPostgres, ...referred];
      expect(Object.keys(environment).filter((name) => !known.includes(name))).toEqual([]);
      const servers = { DATABASE_URL: 'postgres://p/d', AMQP_URL: 'amqp://r/', API_TOKEN: 'token' };
      const given = Object.fromEntries(
        Object.entries(environment).filter(([, value]) => !value.includes('<')),
      );
      expect(() => readConfig(program, app, { ...servers, ...given })).not.toThrow();
    });

    test('listens where the probes and the services look', () => {
      const manifests = manifestsOf(mix);
      for (const [program, setting] of [
        ['api', 'PORT'],
        ['worker', 'WORKER_HEALTH_PORT'],
      ] as const) {
        const container = containerOf(manifests, program);
        const environment = environmentOf(manifests, container);
        expect(environment['HOST']).toBe('0.0.0.0');
        expect(container.ports?.map(({ containerPort }) => containerPort)).toEqual([
          Number(environment[setting]),
        ]);
        const [port] = pick(manifests, 'Service', `warren-${program}`)['spec'].ports;
        expect(container.ports?.map(({ name }) => name)).toEqual([port.targetPort]);
        expect(container.readinessProbe?.httpGet?.path).toBe('/readyz');
        expect(container.livenessProbe?.httpGet?.path).toBe('/livez');
      }
    });

    test('gives a pod longer to end than its program may take', () => {
      const manifests = manifestsOf(mix);
      const graceMs = (program: ProgramName) => {
        const { spec } = deploymentOf(manifests, program)['spec'].template;
        const preStopMs = (containerOf(manifests, program).lifecycle?.preStop?.sleep?.seconds ?? 0) * 1_000;
        return spec.terminationGracePeriodSeconds * 1_000 - preStopMs;
      };
      const worker = environmentOf(manifests, containerOf(manifests, 'worker'));
      expect(graceMs('worker')).toBeGreaterThan(Number(worker['DRAIN_TIMEOUT_MS']) + closingMs);
      const api = environmentOf(manifests, containerOf(manifests, 'api'));
      expect(graceMs('api')).toBeGreaterThan(Number(api['API_DRAIN_MS']) + requestsMs + closingMs);
      expect(containerOf(manifests, 'api').lifecycle?.preStop?.sleep?.seconds).toBeGreaterThanOrEqual(5);
    });

    test.each(programs)('leaves the number of %s pods to one autoscaler, from 2 to 8', (program) => {
      const manifests = manifestsOf(mix);
      const scalers = scalersOf(manifests, program);
      expect(scalers.map(({ min, max }) => [min, max])).toEqual([[2, 8]]);
      expect(deploymentOf(manifests, program)['spec'].replicas).toBeUndefined();
    });

    test.each(programs)('scales the %s up at once, and down one pod at a time', (program) => {
      const [scaler] = scalersOf(manifestsOf(mix), program);
      const spec = scaler?.manifest['spec'];
      const { scaleUp, scaleDown } = spec.behavior ?? spec.advanced.horizontalPodAutoscalerConfig.behavior;
      expect(scaleUp.stabilizationWindowSeconds).toBe(0);
      expect(
        scaleDown.policies.map(({ type, value }: { type: string; value: number }) => [type, value]),
      ).toEqual([['Pods', 1]]);
      expect(scaleDown.stabilizationWindowSeconds).toBeGreaterThanOrEqual(60);
    });

    test('keeps a budget of one pod for each program', () => {
      for (const program of programs) {
        const { spec } = pick(manifestsOf(mix), 'PodDisruptionBudget', `warren-${program}`) as Manifest;
        expect(spec.maxUnavailable).toBe(1);
      }
    });

    test('opens no more connections than Postgres takes, three being kept for its superuser', () => {
      const manifests = manifestsOf(mix);
      expect(mostConnections(manifests)).toBeLessThanOrEqual(allowedConnections(manifests) - 3);
    });

    test('lets each program wait for the schema that the migration brings', () => {
      const manifests = manifestsOf(mix);
      const command = (name: string) => {
        const { spec } = podTemplates(manifests).find(({ owner }) => owner.metadata.name === name) ?? {};
        return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])][0]?.command;
      };
      for (const program of programs)
        expect(command(`warren-${program}`)).toEqual(['node', 'dev/container/await-schema.ts']);
      expect(command('warren-migrate')).toEqual(['node', 'dev/container/migrate.ts']);
    });

    test('names in jobs nothing that a new setting would rename: a job cannot be changed', () => {
      const jobs = podTemplates(manifestsOf(mix)).filter(({ owner }) => owner.kind === 'Job');
      expect(jobs.length).toBeGreaterThan(0);
      expect(JSON.stringify(jobs)).not.toContain('warren-config');
    });
  });

  test('burst runs ten to twenty API pods at 80 % of their CPU, and production has the connections for them', () => {
    const manifests = manifestsOf({ from: 'overlays/production', components: ['burst'] });
    const [scaler] = scalersOf(manifests, 'api');
    expect([scaler?.min, scaler?.max]).toEqual([10, 20]);
    expect(scaler?.manifest['spec'].metrics[0].resource.target.averageUtilization).toBe(80);
    expect(mostConnections(manifests)).toBeLessThanOrEqual(allowedConnections(manifests) - 3);
  });

  test('minikube scales up within a minute and down within two', () => {
    for (const program of programs) {
      const [scaler] = scalersOf(manifestsOf(overlay('minikube')), program);
      const { scaleUp, scaleDown } = scaler?.manifest['spec'].behavior ?? {};
      expect(scaleUp.stabilizationWindowSeconds).toBeLessThanOrEqual(60);
      expect(scaleDown.stabilizationWindowSeconds).toBeLessThanOrEqual(120);
    }
  });

  test('minikube leaves two cores room for sixteen pods beside Kubernetes itself', () => {
    const milli = (text = '0') => (text.endsWith('m') ? Number.parseInt(text, 10) : Number(text) * 1_000);
    const requests = podTemplates(manifestsOf(overlay('minikube')))
      .filter(({ owner }) => owner.kind !== 'Job')
      .map(({ owner, spec }) => {
        const count = owner.kind === 'Deployment' ? 8 : 1;
        return (
          count * spec.containers.reduce((sum, { resources }) => sum + milli(resources?.requests?.['cpu']), 0)
        );
      });
    expect(requests.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(2_000 - 850);
  });

  test('minikube takes every secret from `npm run secrets`, whose URLs lead with the right password to a service of its own', () => {
    using folder = temporaryFolder();
    const secrets = makeSecrets(folder.path);
    const manifests = [...manifestsOf(overlay('minikube')), ...secrets];
    const wanted = podTemplates(manifests).flatMap((template) => [
      ...containersOf(template).flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) =>
          valueFrom?.secretKeyRef === undefined ? [] : [valueFrom.secretKeyRef],
        ),
      ),
      ...(template.spec.volumes ?? []).flatMap((volume) => {
        const secret = volume['secret'] as { secretName: string; items: { key: string }[] } | undefined;
        return (secret?.items ?? []).map(({ key }) => ({ name: secret?.secretName ?? '', key }));
      }),
    ]);
    expect(wanted.length).toBeGreaterThan(8);
    expect(wanted.filter((reference) => readSecret(manifests, reference) === undefined)).toEqual([]);
    const environment = environmentOf(manifests, containerOf(manifests, 'worker'));
    for (const [setting, secret] of [
      ['DATABASE_URL', 'postgres-app'],
      ['AMQP_URL', 'rabbitmq-warren'],
    ] as const) {
      const { username, password, hostname, port } = new URL(environment[setting] ?? '');
      expect(username).toBe(readSecret(manifests, { name: secret, key: 'username' }));
      expect(password).toBe(readSecret(manifests, { name: secret, key: 'password' }));
      const { ports } = pick(manifests, 'Service', hostname)['spec'];
      expect(ports.map((service: { port: number }) => String(service.port))).toContain(port);
    }
  });

  test('no password is the same twice, or stands in a manifest; it is kept for the servers, which keep theirs', () => {
    const passwordsOf = (manifests: readonly Manifest[]) =>
      ['postgres-app', 'rabbitmq-default-user', 'rabbitmq-warren', 'rabbitmq-monitor'].map(
        (name) => readSecret(manifests, { name, key: 'password' }) ?? '',
      );
    using one = temporaryFolder();
    using other = temporaryFolder();
    const all = [...passwordsOf(makeSecrets(one.path)), ...passwordsOf(makeSecrets(other.path))];
    expect(new Set(all).size).toBe(8);
    for (const password of all) expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(passwordsOf(makeSecrets(one.path))).toEqual(all.slice(0, 4));
    for (const [, mix] of fleets)
      expect(manifestsOf(mix).filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  test('programs are no administrators of RabbitMQ', () => {
    const manifests = manifestsOf(overlay('production'));
    for (const program of programs)
      expect(environmentOf(manifests, containerOf(manifests, program))['AMQP_URL']).toBe(
        '<rabbitmq-warren/AMQPS_URL>',
      );
  });

  test('minikube tells RabbitMQ how much memory it has: RabbitMQ would take that of the node', () => {
    const manifests = manifestsOf(overlay('minikube'));
    const { containers } = pick(manifests, 'StatefulSet', 'rabbitmq')['spec'].template.spec;
    const [, mebibytes] = /^(\d+)Mi$/.exec(containers[0].resources.limits.memory) ?? [];
    const settings = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.startsWith('rabbitmq-conf-'),
    );
    const [, told] =
      /^total_memory_available_override_value = (\d+)$/m.exec(settings?.['data']['warren.conf']) ?? [];
    expect(Number(told)).toBe(Number(mebibytes) * 1_024 ** 2);
  });

  test('minikube runs the images that `npm run images` builds, and the servers of compose.yaml', () => {
    const images = new Set(
      podTemplates(manifestsOf(overlay('minikube'))).flatMap((template) =>
        containersOf(template).map(({ image }) => image),
      ),
    );
    const compose = parse(readFileSync(resolve(root, 'compose.yaml'), 'utf8'));
    const services = Object.values(
      compose.services as Record<string, { image: string; profiles?: string[] }>,
    );
    const servers = services.filter(({ profiles = [] }) => profiles.length === 0); // the others are for examples that ask for them
    expect([...images].sort()).toEqual(
      [
        ...servers.map(({ image }) => `docker.io/library/${image}`),
        'localhost/warren-api:dev',
        'localhost/warren-worker:dev',
      ].sort(),
    );
  });

  test.each(['minikube', 'production'])('%s is a namespace that refuses what is not restricted', (name) => {
    const { labels } = pick(manifestsOf(overlay(name)), 'Namespace', 'warren').metadata;
    expect(labels?.['pod-security.kubernetes.io/enforce']).toBe('restricted');
  });

  describe('queue-depth', () => {
    const mix: Mix = { from: 'base', components: ['cloudnative-pg', 'queue-depth', 'deletion-cost'] };
    const scaledObject = () => pick(manifestsOf(mix), 'ScaledObject', 'warren-worker')['spec'];
    const cluster = () => pick(manifestsOf(mix), 'Cluster', 'postgres');
    /** Queues and how many of their jobs a worker runs at once, by the settings of the fleet. */
    const slots = () => {
      const { WORKER_QUEUES = '' } = environmentOf(manifestsOf(mix), containerOf(manifestsOf(mix), 'worker'));
      return WORKER_QUEUES.split(',').map((text) => {
        const [queue = '', channels, prefetch] = text.split(':');
        return { queue, jobs: Number(channels) * Number(prefetch) };
      });
    };

    test("counts the jobs of the fleet's queues, up to what its largest number of workers has slots for", () => {
      const { triggers, maxReplicaCount } = scaledObject();
      const { query } = triggers[0].metadata;
      const [, list = ''] = /array\[(.*)\]/.exec(query) ?? [];
      expect(list.split(', ')).toEqual(slots().map(({ queue }) => `'${queue}'`));
      expect(slots().map(({ queue }) => queue)).toEqual(queueNames);
      const most = maxReplicaCount * slots().reduce((sum, { jobs }) => sum + jobs, 0);
      expect([...query.matchAll(/\d{2,}/g)].map(Number)).toEqual([most, most]);
    });

    test('wants a worker more while there is still a third of its slots free', () => {
      const target = Number(scaledObject().triggers[0].metadata.targetQueryValue);
      const jobs = slots().reduce((sum, one) => sum + one.jobs, 0);
      expect(target / jobs).toBeCloseTo(2 / 3, 1);
    });

    test('keeps workers when Postgres does not answer, and looks at their CPU, too', () => {
      const { triggers, fallback } = scaledObject();
      expect(fallback.replicas).toBeGreaterThanOrEqual(2);
      expect(triggers.map(({ type }: { type: string }) => type)).toEqual(['postgresql', 'cpu']);
    });

    test('asks the server of the cluster, as the role that the operator makes and the migration grants', () => {
      const [{ metadata, authenticationRef }] = scaledObject().triggers;
      const { managed, bootstrap } = cluster()['spec'];
      expect(metadata).toMatchObject({
        host: `${cluster().metadata.name}-rw.warren.svc`,
        dbName: bootstrap.initdb.database,
        sslmode: 'require',
      });
      const { secretTargetRef } = pick(manifestsOf(mix), 'TriggerAuthentication', authenticationRef.name)[
        'spec'
      ];
      expect(secretTargetRef).toEqual([
        { parameter: 'userName', name: 'postgres-scaler', key: 'username' },
        { parameter: 'password', name: 'postgres-scaler', key: 'password' },
      ]);
      const [role] = managed.roles;
      expect(role.passwordSecret.name).toBe('postgres-scaler');
      const { containers } = pick(manifestsOf(mix), 'Job', 'warren-migrate')['spec'].template.spec;
      expect(containers[0].env).toContainEqual({ name: 'SCALER_ROLE', value: role.name });
      const readme = readFileSync(resolve(root, 'k8s/overlays/production/README.md'), 'utf8');
      expect(readme).toContain(
        `secret generic postgres-scaler --type=kubernetes.io/basic-auth --from-literal=username=${role.name}`,
      );
    });

    test('is let into Postgres, and into RabbitMQ no more', () => {
      const policies = manifestsOf({ from: 'base', components: ['network-policies'] });
      const mentions = (name: string) =>
        JSON.stringify(pick(policies, 'NetworkPolicy', name)['spec'].ingress);
      expect(mentions('postgres')).toContain('{"kubernetes.io/metadata.name":"keda"}');
      expect(mentions('rabbitmq')).not.toContain('keda');
    });
  });

  test('deletion-cost permits patching pods and nothing else, to workers alone', () => {
    const manifests = manifestsOf({ from: 'base', components: ['deletion-cost'] });
    const { rules } = pick(manifests, 'Role', 'warren-worker-deletion-cost') as Manifest;
    expect(rules).toEqual([{ apiGroups: [''], resources: ['pods'], verbs: ['patch'] }]);
    const { subjects } = pick(manifests, 'RoleBinding', 'warren-worker-deletion-cost') as Manifest;
    expect(subjects.map(({ name }: { name: string }) => name)).toEqual(['warren-worker']);
    const withToken = podTemplates(manifests).filter(({ spec }) =>
      JSON.stringify(spec).includes('serviceAccountToken'),
    );
    expect(withToken.map(({ owner }) => owner.metadata.name)).toEqual(['warren-worker']);
  });

  test('workers may reach what deliver-webhook may call, and no address more', () => {
    const manifests = manifestsOf({ from: 'base', components: ['network-policies'] });
    const blocks = (
      pick(manifests, 'NetworkPolicy', 'warren-worker')['spec'].egress as {
        to?: { ipBlock?: { cidr: string; except: string[] } }[];
      }[]
    ).flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock])));
    expect(blocks.map(({ cidr }) => cidr)).toEqual(['0.0.0.0/0', '2000::/3']);
    const source = readFileSync(resolve(root, 'src/jobs/webhook/addresses.ts'), 'utf8');
    const special = [...source.matchAll(/\['([0-9a-f.:]+)', (\d+)\],/g)].map(
      ([, network, bits]) => `${network}/${bits}`,
    );
    expect(special.length).toBeGreaterThan(15);
    expect(blocks.flatMap(({ except }) => except).toSorted()).toEqual(special.toSorted());
  });
});

function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'warren-secrets-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** What the command prints, with its passwords kept in this folder. */
function makeSecrets(folder: string): Manifest[] {
  const { stdout } = spawnSync(
    process.execPath,
    ['dev/secrets.ts', '--file', join(folder, 'passwords.json')],
    {
      cwd: root,
      encoding: 'utf8',
      timeout: HANG_MS,
    },
  );
  return JSON.parse(stdout).items;
}

describe('the Dockerfiles', () => {
  const runtime = JSON.parse(readFileSync(resolve(root, 'dev/runtime/package.json'), 'utf8'));

  test.each(programs)('Dockerfile.%s: pinned base, no root, one process, a health check', (program) => {
    const text = readFileSync(resolve(root, `Dockerfile.${program}`), 'utf8');
    expect(text).toContain(`ARG BASE_IMAGE=docker.io/library/node:${runtime.version}-`);
    expect(text.match(/^FROM .*/gm)?.map((line) => line.split(' ')[1])).toEqual(
      ['$', '$'].map((sign) => `${sign}{BASE_IMAGE}`),
    );
    expect(text).toMatch(/^RUN npm ci --omit=dev /m);
    expect(text.match(/^USER .*/gm)).toEqual(['USER 10001:10001']);
    expect(text).toContain(`ENTRYPOINT ["node", "--max-semi-space-size=16", "src/${program}/main.ts"]`);
    expect(text).toMatch(
      new RegExp(`^HEALTHCHECK .* CMD \\["node", "dev/container/healthcheck.ts", "${program}"\\]$`, 'm'),
    );
  });

  test('hold what the programs in them import', () => {
    const kept = readFileSync(resolve(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(kept.filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
    const entries = [...globSync('dev/container/*.ts', { cwd: root }), 'dev/seed.ts'];
    const imported = entries.flatMap((path) =>
      [...readFileSync(resolve(root, path), 'utf8').matchAll(/from '(\.[^']+)'/g)].map(([, target = '']) =>
        resolve(root, path, '..', target).slice(root.length + 1),
      ),
    );
    expect(imported.filter((path) => !kept.some((folder) => path.startsWith(folder)))).toEqual([]);
  });
});

test('the README of the minikube overlay comes to a finished job in at most six commands', () => {
  const readme = readFileSync(resolve(root, 'k8s/overlays/minikube/README.md'), 'utf8');
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  const commands = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(commands[0]).toMatch(/^minikube start/);
  expect(commands.length).toBeLessThanOrEqual(6);
  expect(commands).toContain('minikube addons enable metrics-server');
});
