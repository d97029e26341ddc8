// What a rendering says about the fleet as a whole: the environment that a program gets, how many of it there may be, and what they take together.
import type { Container, Manifest } from './manifests.ts';
import { containersOf, pick, podTemplates } from './manifests.ts';

export type ProgramName = 'api' | 'worker';

export const deploymentOf = (manifests: readonly Manifest[], program: ProgramName) =>
  pick(manifests, 'Deployment', `warren-${program}`);

export function containerOf(manifests: readonly Manifest[], program: ProgramName): Container {
  const containers = deploymentOf(manifests, program)['spec'].template.spec.containers as Container[];
  const found = containers.find(({ name }) => name === program);
  if (found === undefined) throw new Error(`no container is called ${program}`);
  return found;
}

/**
 * What the container's environment will be: its references and its files followed into the config maps and secrets of the rendering, `<secret/key>`
 * elsewhere. What stands in a file has the name of its setting.
 */
export function environmentOf(manifests: readonly Manifest[], container: Container): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const { configMapRef } of container.envFrom ?? []) {
    if (configMapRef) Object.assign(environment, pick(manifests, 'ConfigMap', configMapRef.name)['data']);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const secret = valueFrom?.secretKeyRef;
    const setting = /^(.+)_FILE$/.exec(name)?.[1];
    if (setting !== undefined) environment[setting] = readMounted(manifests, container, value ?? '');
    else if (value !== undefined)
      environment[name] = value.replace(/\$\(([^)]+)\)/g, (text, other) => environment[other] ?? text);
    else if (secret !== undefined) {
      const found = readSecret(manifests, secret);
      if (found !== undefined) environment[name] = found;
      else if (!secret.optional) environment[name] = `<${secret.name}/${secret.key}>`;
    } else environment[name] = `<${valueFrom?.fieldRef?.fieldPath}>`;
  }
  return environment;
}

/** What the container finds at this path: the key of a secret that is mounted there. */
function readMounted(manifests: readonly Manifest[], container: Container, path: string): string {
  const template = podTemplates(manifests).find((one) => containersOf(one).includes(container));
  const mount = container.volumeMounts?.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const volume = template?.spec.volumes?.find(({ name }) => name === mount?.name);
  const secret = volume?.['secret'] as
    | { secretName: string; items: { key: string; path: string }[] }
    | undefined;
  const item = secret?.items.find((one) => `${mount?.mountPath}/${one.path}` === path);
  if (secret === undefined || item === undefined) throw new Error(`nothing is mounted at ${path}`);
  const { secretName: name } = secret;
  return readSecret(manifests, { name, key: item.key }) ?? `<${name}/${item.key}>`;
}

export function readSecret(
  manifests: readonly Manifest[],
  { name, key }: { name: string; key: string },
): string | undefined {
  const secret = manifests.find((manifest) => manifest.kind === 'Secret' && manifest.metadata.name === name);
  const plain = secret?.['stringData']?.[key] as string | undefined;
  if (plain !== undefined) return plain;
  const encoded = secret?.['data']?.[key] as string | undefined;
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString();
}

export type Scaler = { readonly manifest: Manifest; readonly min: number; readonly max: number };

/** The autoscalers of a program's Deployment, Kubernetes' own and KEDA's. There should be one. */
export function scalersOf(manifests: readonly Manifest[], program: ProgramName): Scaler[] {
  return manifests
    .filter((manifest) => manifest['spec']?.scaleTargetRef?.name === `warren-${program}`)
    .map((manifest) => ({
      manifest,
      min: manifest['spec'].minReplicas ?? manifest['spec'].minReplicaCount,
      max: manifest['spec'].maxReplicas ?? manifest['spec'].maxReplicaCount,
    }));
}

/** Connections to Postgres with every autoscaler at its end, one pod more of each during an update, a migration, and what counts jobs for an autoscaler. */
export function mostConnections(manifests: readonly Manifest[]): number {
  const perProgram = (['api', 'worker'] as const).map((program) => {
    const environment = environmentOf(manifests, containerOf(manifests, program));
    const poolMax = Number(environment['DATABASE_POOL_MAX']);
    const surge = Number(deploymentOf(manifests, program)['spec'].strategy.rollingUpdate.maxSurge);
    const presence = 1;
    const ofWorker = program === 'worker' ? presence + Number(environment['JOBS_POOL_MAX']) : 0;
    const max = Math.max(...scalersOf(manifests, program).map((scaler) => scaler.max));
    return (max + surge) * (poolMax + ofWorker);
  });
  const migration = 1;
  return perProgram.reduce((sum, connections) => sum + connections, migration + ofManagedRoles(manifests));
}

/** The most that the operator's Postgres lets the roles have that it was told to make. */
function ofManagedRoles(manifests: readonly Manifest[]): number {
  const roles: { connectionLimit: number }[] = findCluster(manifests)?.['spec'].managed?.roles ?? [];
  return roles.reduce((sum, { connectionLimit }) => sum + connectionLimit, 0);
}

function findCluster(manifests: readonly Manifest[]): Manifest | undefined {
  return manifests.find(({ kind, apiVersion }) => kind === 'Cluster' && apiVersion.startsWith('postgresql'));
}

/** What the Postgres of the rendering allows; Postgres's own default where the rendering has none. */
export function allowedConnections(manifests: readonly Manifest[]): number {
  const cluster = findCluster(manifests);
  if (cluster) return Number(cluster['spec'].postgresql.parameters.max_connections);
  const server = podTemplates(manifests).find(({ owner }) => owner.metadata.name === 'postgres');
  const setting = server?.spec.containers[0]?.args?.find((argument) =>
    argument.startsWith('max_connections='),
  );
  return Number(setting?.split('=')[1] ?? 100);
}
