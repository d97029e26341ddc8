// Every overlay and every sensible mix of components renders, is what Kubernetes takes, and keeps the rules.
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HANG_MS } from '../support/eventually.ts';
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
import type { Manifest, Mix } from '../support/manifests.ts';
import { describeManifest, kubectlObstacle, render } from '../support/manifests.ts';

const examples = resolve(import.meta.dirname, '../../examples');
/** Rendering starts a process. */
const servers = ['rabbitmq-cluster', 'cloudnative-pg'];
const exampleOverlays = globSync('*/k8s*', { cwd: examples }).map((folder) => ({
  from: `../examples/${folder}`,
  components: [],
}));
const mixes: Mix[] = [
  { from: 'base', components: [] },
  { from: 'overlays/minikube', components: [] },
  { from: 'overlays/production', components: [] },
  ...[
    'burst',
    'deletion-cost',
    'network-policies',
    'service-monitor',
    'boards',
    'broker-access',
    'grpc',
    ...servers,
  ].map((name) => ({
    from: 'base',
    components: [name],
  })),
  { from: 'base', components: ['queue-depth', 'deletion-cost'] },
  { from: 'base', components: ['cloudnative-pg', 'queue-depth'] },
  { from: 'base', components: [...servers, 'tls'] },
  {
    from: 'base',
    components: [
      ...[
        ...servers,
        'tls',
        'burst',
        'queue-depth',
        'deletion-cost',
        'network-policies',
        'service-monitor',
        'grpc',
      ],
    ],
  },
  { from: 'overlays/minikube', components: ['queue-depth', 'network-policies'] },
  { from: 'overlays/minikube', components: ['burst', 'service-monitor'] },
  { from: 'overlays/production', components: ['burst'] },
  ...exampleOverlays,
];

const rules: [string, ManifestRule][] = [
  ['passes the restricted level of the Pod Security Standards', restricted],
  ['bounds every container, and pins every image', bounded],
  ['gives our own images no writable root', readOnly],
  ['probes what goes on three ways, at a port that is there', probed],
  ['refers in environment variables only to earlier ones', resolvable],
  ['selects, scales and runs as what exists', connected],
  ['is labelled', labelled],
  ['migrates the application that it runs', migrated],
  ['is in one namespace, save what belongs to the cluster', scoped],
  ['mounts no token that was not asked for', withoutTokens],
  ['has its secrets as files', filed],
  ['lets nothing out to everywhere', aimed],
  ['opens no port of a node', unexposed],
];

const title = ({ from, components }: Mix) => [from, ...components].join(' + ');

describe.skipIf(kubectlObstacle !== undefined)(
  kubectlObstacle ?? 'the manifests',
  { timeout: HANG_MS },
  () => {
    describe.each(mixes.map((mix) => [title(mix), mix] as const))('%s', (_, mix) => {
      let rendered: Manifest[] | undefined;
      const manifests = () => {
        rendered ??= render(mix);
        return rendered;
      };

      test('renders, each object once', () => {
        const names = manifests().map((manifest) => `${manifest.apiVersion} ${describeManifest(manifest)}`);
        expect(names.length).toBeGreaterThan(10);
        expect(new Set(names).size).toBe(names.length);
      });

      test('has no error in any schema, and no member that a schema does not know', async () => {
        const errors = await Promise.all(
          manifests().map(async (manifest) =>
            (await findSchemaErrors(manifest)).map((text) => `${describeManifest(manifest)} ${text}`),
          ),
        );
        expect(errors.flat()).toEqual([]);
      });

      test.each(rules)('%s', (_title, rule) => {
        expect(rule(manifests())).toEqual([]);
      });
    });
  },
);
