// The rules that the manifests are held to can fail: each finds the one thing that is wrong in an object that is otherwise right.
import { describe, expect, test } from 'vitest';
import { findSchemaErrors } from '../support/kubernetes-schemas.ts';
import type { ManifestRule } from '../support/manifest-rules.ts';
import {
  aimed,
  bounded,
  connected,
  filed,
  labelled,
  migrated,
  probed,
  readOnly,
  resolvable,
  restricted,
  scoped,
  unexposed,
  withoutTokens,
} from '../support/manifest-rules.ts';
import type { Manifest } from '../support/manifests.ts';

type Change = (deployment: Manifest) => void;

function deployment(change: Change = () => {}): Manifest {
  const labels = { 'app.kubernetes.io/name': 'program', 'app.kubernetes.io/part-of': 'warren' };
  const probe = () => ({ httpGet: { path: '/livez', port: 'http' } });
  const manifest: Manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'program', labels },
    spec: {
      selector: { matchLabels: { 'app.kubernetes.io/name': 'program' } },
      template: {
        metadata: { labels: { ...labels } },
        spec: {
          serviceAccountName: 'program',
          automountServiceAccountToken: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 10001,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          volumes: [{ name: 'scratch', emptyDir: {} }],
          containers: [
            {
              name: 'program',
              image: 'localhost/warren-api:dev',
              ports: [{ name: 'http', containerPort: 3000 }],
              env: [
                { name: 'A', value: 'a' },
                { name: 'B', value: '$(A)' },
              ],
              resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } },
              startupProbe: probe(),
              readinessProbe: probe(),
              livenessProbe: probe(),
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
            },
          ],
        },
      },
    },
  };
  change(manifest);
  return manifest;
}

const account: Manifest = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'program' },
  automountServiceAccountToken: false,
};

const pod = (manifest: Manifest) => manifest['spec'].template.spec;
const container = (manifest: Manifest) => pod(manifest).containers[0];

const breaches: [ManifestRule, string, Change][] = [
  [restricted, 'may run as root', (manifest) => delete pod(manifest).securityContext.runAsNonRoot],
  [restricted, 'has no numeric user', (manifest) => delete pod(manifest).securityContext.runAsUser],
  [restricted, 'has no seccomp profile', (manifest) => delete pod(manifest).securityContext.seccompProfile],
  [restricted, 'keeps capabilities', (manifest) => delete container(manifest).securityContext.capabilities],
  [
    restricted,
    'may escalate',
    (manifest) => delete container(manifest).securityContext.allowPrivilegeEscalation,
  ],
  [
    restricted,
    'mounts scratch as hostPath',
    (manifest) => {
      pod(manifest).volumes = [{ name: 'scratch', hostPath: {} }];
    },
  ],
  [
    restricted,
    'has hostNetwork',
    (manifest) => {
      pod(manifest).hostNetwork = true;
    },
  ],
  [bounded, 'has no limits of memory', (manifest) => delete container(manifest).resources.limits.memory],
  [
    bounded,
    'runs any version',
    (manifest) => {
      container(manifest).image = 'docker.io/library/postgres';
    },
  ],
  [readOnly, 'can write', (manifest) => delete container(manifest).securityContext.readOnlyRootFilesystem],
  [probed, 'has no startupProbe', (manifest) => delete container(manifest).startupProbe],
  [
    probed,
    'has no port 9090',
    (manifest) => {
      container(manifest).livenessProbe.httpGet.port = 9090;
    },
  ],
  [
    resolvable,
    'refers to $(A) before',
    (manifest) => {
      container(manifest).env.reverse();
    },
  ],
  [
    connected,
    'selects no pod',
    (manifest) => {
      manifest['spec'].selector.matchLabels = { app: 'other' };
    },
  ],
  [
    connected,
    'has no account',
    (manifest) => {
      pod(manifest).serviceAccountName = 'other';
    },
  ],
  [
    labelled,
    'have no app.kubernetes.io/part-of',
    (manifest) => delete manifest['spec'].template.metadata.labels['app.kubernetes.io/part-of'],
  ],
  [
    scoped,
    'there are objects in other and ',
    (manifest) => Object.assign(manifest.metadata, { namespace: 'other' }),
  ],
  [
    filed,
    'has A in its environment',
    (manifest) => {
      container(manifest).env[0] = { name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'a' } } };
    },
  ],
  [
    withoutTokens,
    'may have a token mounted',
    (manifest) => delete pod(manifest).automountServiceAccountToken,
  ],
];

test('nothing is found where nothing is wrong', async () => {
  const manifests = [deployment(), account];
  for (const [rule] of breaches) expect(rule(manifests)).toEqual([]);
  expect((await Promise.all(manifests.map(findSchemaErrors))).flat()).toEqual([]);
});

test.each(breaches.map(([rule, expected, change]) => ({ name: rule.name, rule, expected, change })))(
  '$name finds what $expected',
  ({ rule, expected, change }) => {
    expect(rule([deployment(change), account])).toEqual([expect.stringContaining(expected)]);
  },
);

test('a migration of another application is found', () => {
  const migration = deployment((manifest) => {
    Object.assign(manifest.metadata, { name: 'warren-migrate' });
    container(manifest).env = [{ name: 'WARREN_APP', value: 'warren/examples/shop' }];
  });
  const configuration = (app: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'warren-config' },
    data: { WARREN_APP: app },
  });
  expect(migrated([migration, configuration('warren/examples/shop')])).toEqual([]);
  expect(migrated([migration, configuration('/app/mine.ts')])).toEqual([
    'migrates warren/examples/shop and not /app/mine.ts',
  ]);
});

describe('rules about the network', () => {
  const policy = (egress: object): Manifest => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'out' },
    spec: { podSelector: {}, policyTypes: ['Egress'], egress: [egress] },
  });
  const service = (type: string): Manifest => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'program' },
    spec: { type, ports: [{ port: 80 }] },
  });

  test.each([
    [{ ports: [{ port: 443 }] }, ['NetworkPolicy/out lets out to every address']],
    [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }, ['NetworkPolicy/out lets out to all of 0.0.0.0/0']],
    [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }, []],
    [{ to: [{ podSelector: {} }] }, []],
  ])('%j', (egress, expected) => {
    expect(aimed([policy(egress)])).toEqual(expected);
  });

  test.each([
    ['NodePort', ['Service/program is a NodePort']],
    ['LoadBalancer', ['Service/program is a LoadBalancer']],
    ['ClusterIP', []],
  ])('a service of type %s', (type, expected) => {
    expect(unexposed([service(type)])).toEqual(expected);
  });
});

describe('the schemas', () => {
  const cases: [string, string, Change][] = [
    [
      'a member that is misspelt',
      'terminationGraceSeconds is unknown',
      (manifest) => {
        pod(manifest).terminationGraceSeconds = 40;
      },
    ],
    [
      'one deep in a list',
      '/containers/0/readinessProbe/httpGet/url is unknown',
      (manifest) => {
        container(manifest).readinessProbe.httpGet.url = '/';
      },
    ],
    [
      'a member of the wrong type',
      'must be',
      (manifest) => {
        container(manifest).ports[0].containerPort = 'http';
      },
    ],
    ['a member that is missing', 'selector', (manifest) => delete manifest['spec'].selector],
  ];

  test.each(cases)('find %s', async (_, expected, change) => {
    expect(await findSchemaErrors(deployment(change))).toEqual([expect.stringContaining(expected)]);
  });

  test('find a member that a custom resource does not have', async () => {
    const scaled = (spec: object): Manifest => ({
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'workers' },
      spec: {
        scaleTargetRef: { name: 'workers' },
        triggers: [{ type: 'cpu', metadata: { value: '70' } }],
        ...spec,
      },
    });
    expect(await findSchemaErrors(scaled({ maxReplicaCount: 8 }))).toEqual([]);
    expect(await findSchemaErrors(scaled({ maxReplicas: 8 }))).toEqual(['/spec/maxReplicas is unknown']);
  });
});
