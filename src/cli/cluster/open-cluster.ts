/**
 * Opens a namespace of a cluster where somebody wants to see one: the client of Kubernetes is optional, and takes time and memory. The only way to `cluster.ts`.
 */
import { errorMessage, Misconfigured } from '#shared/base/errors.ts';
import type { Cluster } from './cluster.ts';

export interface WantedCluster {
  /** Of the kubeconfig. Defaults to its current one. */
  context?: string | undefined;
  /** Defaults to that of the context. */
  namespace?: string | undefined;
  /** Only what has these labels. Defaults to everything. */
  selector?: string | undefined;
}

/** Throws `Misconfigured` where the client is not installed, and where there is no kubeconfig. */
export async function openCluster({ context, namespace, selector }: WantedCluster): Promise<{
  cluster: Cluster;
  namespace: string;
}> {
  const { Cluster, loadKubeConfig, namespaceOf } = await import('./cluster.ts').catch((error: unknown) => {
    const isMissing = Object(error).code === 'ERR_MODULE_NOT_FOUND';
    const remedy = isMissing ? 'npm install @kubernetes/client-node' : 'it runs on Node 22.19 and newer';
    throw new Misconfigured(
      `pods need the package @kubernetes/client-node (${remedy}): ${errorMessage(error)}`,
    );
  });
  const config = loadKubeConfig(context);
  const chosen = namespace ?? namespaceOf(config);
  return { cluster: new Cluster({ config, namespace: chosen, selector }), namespace: chosen };
}
