// The manifests of k8s/ as Kustomize renders them: an overlay, or the base with components mixed in.
// Needs `kubectl`; where it is missing `kubectlObstacle` says so, and the tests are skipped with that reason.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { HANG_MS } from './eventually.ts';

export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: what stands below is the schemas' business
  readonly [member: string]: any;
};

/** A folder of k8s/ and the components on top of it. */
export type Mix = { readonly from: string; readonly components: readonly string[] };

const k8s = resolve(import.meta.dirname, '../../k8s');

export const kubectlObstacle = findObstacle();

function findObstacle(): string | undefined {
  const { status } = spawnSync('kubectl', ['kustomize', join(k8s, 'base/api')], { timeout: HANG_MS });
  return status === 0 ? undefined : 'kubectl is missing: the manifests cannot be rendered';
}

/** Throws what Kustomize says where it does not render. */
export function render({ from, components }: Mix): Manifest[] {
  if (components.length === 0) return kustomize(join(k8s, from));
  // Kustomize takes relative paths only, from where the folder really is.
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'warren-mix-'));
  try {
    const path = (target: string) => relative(folder, join(k8s, target));
    // As in a folder of one's own (docs/kubernetes.md): on top of an overlay its namespace is set once more.
    const namespaced = from.startsWith('overlays/')
      ? { namespace: 'warren', transformers: [path('components/deletion-cost/cluster-scoped')] }
      : {};
    const mixed = {
      ...namespaced,
      resources: [path(from)],
      components: components.map((name) => path(`components/${name}`)),
    };
    writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(mixed));
    return kustomize(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function kustomize(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
    timeout: HANG_MS,
  });
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout, { version: '1.1' }).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

export const describeManifest = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`;

/** The one object of this kind and name. */
export function pick(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found.length !== 1 || found[0] === undefined)
    throw new Error(`${found.length} objects are ${kind}/${name}`);
  return found[0];
}

export type PodTemplate = {
  readonly owner: Manifest;
  readonly labels: Record<string, string>;
  readonly spec: PodSpec;
};

export type Container = {
  readonly name: string;
  readonly image: string;
  readonly command?: string[];
  readonly args?: string[];
  readonly env?: EnvironmentVariable[];
  readonly envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  readonly ports?: { name?: string; containerPort: number }[];
  readonly resources?: Record<'requests' | 'limits', Record<string, string> | undefined>;
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly volumeMounts?: { name: string; mountPath: string }[];
  readonly lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  readonly securityContext?: Record<string, unknown> & { capabilities?: { drop?: string[]; add?: string[] } };
};

export type EnvironmentVariable = {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    secretKeyRef?: { name: string; key: string; optional?: boolean };
    configMapKeyRef?: { name: string; key: string };
    fieldRef?: { fieldPath: string };
  };
};

export type Probe = {
  readonly httpGet?: { path: string; port: string | number };
  readonly tcpSocket?: { port: string | number };
  readonly exec?: { command: string[] };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
};

export type PodSpec = {
  readonly containers: Container[];
  readonly initContainers?: Container[];
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Record<string, unknown> & { seccompProfile?: { type?: string } };
  readonly volumes?: (Record<string, unknown> & { name: string })[];
  readonly [member: string]: unknown;
};

/** Every pod that these objects make. */
export function podTemplates(manifests: readonly Manifest[]): PodTemplate[] {
  return manifests.flatMap((owner) => {
    const template = owner['spec']?.template;
    if (template?.spec?.containers === undefined) return [];
    return [{ owner, labels: template.metadata?.labels ?? {}, spec: template.spec as PodSpec }];
  });
}

export const containersOf = ({ spec }: PodTemplate) => [...(spec.initContainers ?? []), ...spec.containers];
