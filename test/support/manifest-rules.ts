// What every object of k8s/ must keep, whatever it is mixed with. Each rule tells what is wrong, one line each.
// `restricted` is the level of that name in the Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards).
import type { Container, Manifest, PodTemplate } from './manifests.ts';
import { containersOf, describeManifest, podTemplates } from './manifests.ts';

export type ManifestRule = (manifests: readonly Manifest[]) => string[];

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

export const restricted: ManifestRule = (manifests) =>
  podTemplates(manifests).flatMap((template) => {
    const { owner, spec } = template;
    const wrong: string[] = [];
    for (const key of ['hostNetwork', 'hostPID', 'hostIPC']) if (spec[key]) wrong.push(`has ${key}`);
    for (const volume of spec.volumes ?? []) {
      const types = Object.keys(volume).filter((key) => key !== 'name');
      if (types.some((type) => !allowedVolumes.includes(type)))
        wrong.push(`mounts ${volume.name} as ${types.join()}`);
    }
    for (const container of containersOf(template)) {
      wrong.push(...privileges(spec, container).map((text) => `${container.name} ${text}`));
    }
    return wrong.map((text) => `${describeManifest(owner)} ${text}`);
  });

/** A container's own settings count before those of its pod. */
function privileges(spec: PodTemplate['spec'], { securityContext = {}, ports = [] }: Container): string[] {
  const effective = { ...spec.securityContext, ...securityContext } as Record<string, unknown>;
  const profile = (effective['seccompProfile'] as { type?: string } | undefined)?.type;
  const wrong: string[] = [];
  if (effective['runAsNonRoot'] !== true) wrong.push('may run as root');
  if (!(Number(effective['runAsUser']) > 0)) wrong.push('has no numeric user of its own');
  if (securityContext['allowPrivilegeEscalation'] !== false) wrong.push('may escalate privileges');
  if (securityContext['privileged'] === true) wrong.push('is privileged');
  if (!securityContext.capabilities?.drop?.includes('ALL')) wrong.push('keeps capabilities');
  if ((securityContext.capabilities?.add ?? []).some((name) => name !== 'NET_BIND_SERVICE'))
    wrong.push('adds capabilities');
  if (profile !== 'RuntimeDefault' && profile !== 'Localhost') wrong.push('has no seccomp profile');
  if (ports.some((port) => 'hostPort' in port)) wrong.push('takes a port of its node');
  return wrong;
}

export const bounded: ManifestRule = (manifests) =>
  podTemplates(manifests).flatMap((template) =>
    containersOf(template).flatMap(({ name, resources, image }) => {
      const wrong = ['requests', 'limits'].flatMap((kind) =>
        ['cpu', 'memory'].flatMap((unit) =>
          resources?.[kind as 'requests' | 'limits']?.[unit] === undefined
            ? [`has no ${kind} of ${unit}`]
            : [],
        ),
      );
      if (!/:[^/]+$/.test(image) && !/^warren-(api|worker)$/.test(image))
        wrong.push(`runs any version of ${image}`);
      return wrong.map((text) => `${describeManifest(template.owner)} ${name} ${text}`);
    }),
  );

/** Our own images need no writable root file system. */
export const readOnly: ManifestRule = (manifests) =>
  podTemplates(manifests).flatMap((template) =>
    containersOf(template)
      .filter(({ image }) => /warren-(api|worker)/.test(image))
      .filter(({ securityContext }) => securityContext?.['readOnlyRootFilesystem'] !== true)
      .map(({ name }) => `${describeManifest(template.owner)} ${name} can write`),
  );

/** Every container that goes on is probed three ways, at a port that it has. Jobs end by themselves. */
export const probed: ManifestRule = (manifests) =>
  podTemplates(manifests)
    .filter(({ owner }) => owner.kind !== 'Job')
    .flatMap(({ owner, spec }) =>
      spec.containers.flatMap((container) =>
        (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).flatMap((kind) => {
          const probe = container[kind];
          const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
          const ports =
            container.ports?.flatMap(({ name = '', containerPort }) => [name, containerPort]) ?? [];
          if (probe === undefined) return [`${describeManifest(owner)} ${container.name} has no ${kind}`];
          if (port !== undefined && !ports.includes(port))
            return [`${describeManifest(owner)} ${container.name} has no port ${port} for its ${kind}`];
          return [];
        }),
      ),
    );

/** A reference $(NAME) sees only what stands before it in the list; otherwise it stays as it is written. */
export const resolvable: ManifestRule = (manifests) =>
  podTemplates(manifests).flatMap((template) =>
    containersOf(template).flatMap(({ name, env = [] }) =>
      env.flatMap((variable, index) => {
        const before = new Set(env.slice(0, index).map((earlier) => earlier.name));
        const both = variable.value !== undefined && variable.valueFrom !== undefined;
        return [...(variable.value ?? '').matchAll(/\$\(([^)]+)\)/g)]
          .filter(([, reference = '']) => !before.has(reference))
          .map(([text]) => `refers to ${text} before it is there`)
          .concat(both ? ['has a value from two places'] : [])
          .map((text) => `${describeManifest(template.owner)} ${name} ${variable.name} ${text}`);
      }),
    ),
  );

/** What is selected exists: services, budgets, autoscalers and accounts point at something of the same rendering. */
export const connected: ManifestRule = (manifests) => {
  const templates = podTemplates(manifests);
  const has = (kind: string, name: string) =>
    manifests.some((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  const selects = (selector: Record<string, string>) =>
    templates.some(({ labels }) => Object.entries(selector).every(([key, value]) => labels[key] === value));
  return manifests.flatMap((manifest) => {
    const { kind, spec } = manifest;
    const wrong: string[] = [];
    const selector = kind === 'Service' ? spec.selector : spec?.selector?.matchLabels;
    const selectsPods = ['Service', 'Deployment', 'StatefulSet'].includes(kind);
    if (selectsPods && !selects(selector)) wrong.push('selects no pod');
    if (kind === 'HorizontalPodAutoscaler' && !has(spec.scaleTargetRef.kind, spec.scaleTargetRef.name))
      wrong.push('scales nothing');
    const account = spec?.template?.spec?.serviceAccountName as string | undefined;
    if (account !== undefined && !has('ServiceAccount', account)) wrong.push(`has no account ${account}`);
    return wrong.map((text) => `${describeManifest(manifest)} ${text}`);
  });
};

export const labelled: ManifestRule = (manifests) =>
  [
    ...podTemplates(manifests).map(({ owner, labels }) => ({
      title: `the pods of ${describeManifest(owner)}`,
      labels,
    })),
    ...manifests
      .filter(({ kind }) => ['Deployment', 'Job', 'StatefulSet', 'Service'].includes(kind))
      .map((manifest) => ({ title: describeManifest(manifest), labels: manifest.metadata.labels ?? {} })),
  ].flatMap(({ title, labels }) =>
    ['app.kubernetes.io/name', 'app.kubernetes.io/part-of']
      .filter((key) => labels[key] === undefined)
      .map((key) => `${title} have no ${key}`),
  );

/** What belongs to the cluster has no namespace, and everything else has the one of its rendering, if there is one. */
export const scoped: ManifestRule = (manifests) => {
  const isOfCluster = ({ kind }: Manifest) => /^(Namespace|ValidatingAdmissionPolicy(Binding)?)$/.test(kind);
  const namespaces = new Set(
    manifests.filter((one) => !isOfCluster(one)).map(({ metadata }) => metadata.namespace),
  );
  return [
    ...manifests
      .filter((manifest) => isOfCluster(manifest) && manifest.metadata.namespace !== undefined)
      .map((manifest) => `${describeManifest(manifest)} is in a namespace`),
    ...(namespaces.size > 1 ? [`there are objects in ${[...namespaces].join(' and ')}`] : []),
  ];
};

/** Whoever may go out goes somewhere: a rule that names ports alone opens them at every address, private ones included. */
export const aimed: ManifestRule = (manifests) =>
  manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .flatMap((policy) => {
      const rules: { to?: { ipBlock?: { cidr: string; except?: string[] } }[] }[] =
        policy['spec'].egress ?? [];
      return rules.flatMap(({ to = [] }) => {
        if (to.length === 0) return [`${describeManifest(policy)} lets out to every address`];
        return to
          .filter(({ ipBlock }) => /\/0$/.test(ipBlock?.cidr ?? '') && (ipBlock?.except ?? []).length === 0)
          .map(({ ipBlock }) => `${describeManifest(policy)} lets out to all of ${ipBlock?.cidr}`);
      });
    });

/** No port of a node is opened: what is looked at from outside is forwarded, or has an Ingress. */
export const unexposed: ManifestRule = (manifests) =>
  manifests
    .filter(({ kind, spec }) => kind === 'Service' && !['ClusterIP', undefined].includes(spec.type))
    .map((service) => `${describeManifest(service)} is a ${service['spec'].type}`);

/** The migration makes the tables of the application that the programs run. */
export const migrated: ManifestRule = (manifests) => {
  const app = manifests.find(({ kind, data }) => kind === 'ConfigMap' && data?.['WARREN_APP'])?.['data']?.[
    'WARREN_APP'
  ];
  return podTemplates(manifests)
    .filter(({ owner }) => owner.metadata.name === 'warren-migrate')
    .flatMap((template) => containersOf(template))
    .flatMap(({ env = [] }) => env.filter(({ name }) => name === 'WARREN_APP'))
    .flatMap(({ value }) => (app === undefined || value === app ? [] : [`migrates ${value} and not ${app}`]));
};

/** What is secret is a file: an environment shows in a process list, in crash reports and in every child process. */
export const filed: ManifestRule = (manifests) =>
  podTemplates(manifests).flatMap((template) =>
    containersOf(template)
      .filter(({ image }) => /warren-(api|worker)/.test(image))
      .flatMap(({ name, env = [] }) =>
        env
          .filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)
          .map(
            (variable) =>
              `${describeManifest(template.owner)} ${name} has ${variable.name} in its environment`,
          ),
      ),
  );

/** No account has a token by itself; the only one there is was asked for, for a container. */
export const withoutTokens: ManifestRule = (manifests) => [
  ...manifests
    .filter(
      (manifest) => manifest.kind === 'ServiceAccount' && manifest['automountServiceAccountToken'] !== false,
    )
    .map((manifest) => `${describeManifest(manifest)} hands out its token`),
  ...podTemplates(manifests)
    .filter(
      ({ spec }) => spec.automountServiceAccountToken !== false || spec.serviceAccountName === undefined,
    )
    .map(({ owner }) => `${describeManifest(owner)} may have a token mounted`),
];
