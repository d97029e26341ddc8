// Validates an object against the Kubernetes schemas, and those of the operators' custom resources, of the package family `kubernetes-models`.
// Those schemas let unknown members pass, as the API server does with a warning; here they are errors, because they are misspelt ones: the
// validator is given a proxy, and a member that it never looked at is one that the schema does not know.
import { z } from 'zod';
import type { Manifest } from './manifests.ts';

type Validator = { validate: (this: unknown) => void };

/** The package of a group that is not Kubernetes' own. */
const packages: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg',
};

/** No package has the RabbitMQ cluster operator: the members that are used here, by its reference (rabbitmq.com, v1beta1). */
const rabbitmqCluster = z.strictObject({
  apiVersion: z.literal('rabbitmq.com/v1beta1'),
  kind: z.literal('RabbitmqCluster'),
  metadata: z.object({ name: z.string() }),
  spec: z.strictObject({
    replicas: z.int().min(1),
    image: z.string(),
    terminationGracePeriodSeconds: z.int().min(0),
    resources: z.object({
      requests: z.record(z.string(), z.string()),
      limits: z.record(z.string(), z.string()),
    }),
    persistence: z.strictObject({ storage: z.string(), storageClassName: z.string().optional() }),
    rabbitmq: z.strictObject({ additionalConfig: z.string() }),
    tls: z
      .strictObject({ secretName: z.string(), disableNonTLSListeners: z.boolean().optional() })
      .optional(),
    override: z.strictObject({
      statefulSet: z.strictObject({
        spec: z.strictObject({
          template: z.strictObject({ spec: z.object({ containers: z.array(z.object({})) }) }),
        }),
      }),
    }),
  }),
});

/** What is wrong with the object, one line each. */
export async function findSchemaErrors(manifest: Manifest): Promise<string[]> {
  if (manifest.kind === 'RabbitmqCluster') {
    const { error } = rabbitmqCluster.safeParse(manifest);
    return error?.issues.map(({ path, message }) => `/${path.join('/')} ${message}`) ?? [];
  }
  const validator = await findValidator(manifest);
  const watched = watch(manifest);
  try {
    validator.validate.call(watched.value);
  } catch (error) {
    return [(error as Error).message];
  }
  return watched.unknown();
}

async function findValidator({ apiVersion, kind }: Manifest): Promise<Validator> {
  const [group = ''] = apiVersion.split('/');
  const source = packages[group] ?? 'kubernetes-models';
  const module = (await import(`${source}/${apiVersion}/${kind}`)) as Record<
    string,
    { prototype: Validator }
  >;
  const model = module[kind];
  if (model === undefined) throw new Error(`${source} has no ${apiVersion} ${kind}`);
  return model.prototype;
}

/** A view of the object that remembers which members were looked at. */
function watch(root: object): { value: unknown; unknown: () => string[] } {
  const lookers: (() => string[])[] = [];
  const view = (target: object, path: string): object => {
    const read = new Set<PropertyKey>();
    const views = new Map<PropertyKey, unknown>();
    let isListed = Array.isArray(target);
    lookers.push(() => {
      // Nothing was looked at: the schema leaves this object free.
      if (isListed || read.size === 0) return [];
      return Object.keys(target)
        .filter((key) => !read.has(key))
        .map((key) => `${path}/${key} is unknown`);
    });
    return new Proxy(target, {
      get: (_, key) => {
        read.add(key);
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'object' || member === null) return member;
        if (!views.has(key)) views.set(key, view(member, `${path}/${String(key)}`));
        return views.get(key);
      },
      ownKeys: () => {
        isListed = true;
        return Reflect.ownKeys(target);
      },
    });
  };
  const value = view(root, '');
  return { value, unknown: () => lookers.flatMap((look) => look()) };
}
