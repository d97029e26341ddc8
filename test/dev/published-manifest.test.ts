// What of the manifest others get.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { publishedManifest } from '../../dev/package/manifest.ts';

const manifest = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'));

test('an application can share hono, zod, the API of OpenTelemetry and the types of Node with the package, and gets the tested version of the rest', () => {
  const { hono, zod, ...rest } = manifest.dependencies;
  expect(publishedManifest(manifest)['dependencies']).toEqual({
    ...rest,
    hono: `^${hono}`,
    zod: `^${zod}`,
    '@opentelemetry/api': '^1.9.0',
    '@types/node': '>=22',
  });
});

test('nothing that only the repository needs is published', () => {
  const members = Object.keys(publishedManifest(manifest));
  expect(
    members.filter((member) => ['scripts', 'devDependencies', 'private', 'imports'].includes(member)),
  ).toEqual([]);
});

test('what an application may do without is left to those who need it', () => {
  const { peerDependencies, peerDependenciesMeta, optionalDependencies } = publishedManifest(manifest);
  expect(optionalDependencies).toBeUndefined();
  const names = [...Object.keys(manifest.optionalDependencies), '@kubernetes/client-node'];
  expect(Object.keys(peerDependencies as object)).toEqual(names);
  expect(peerDependencies).toMatchObject({
    '@kubernetes/client-node': `^${manifest.devDependencies['@kubernetes/client-node']}`,
  });
  expect(Object.values(peerDependenciesMeta as object)).toEqual(names.map(() => ({ optional: true })));
});
