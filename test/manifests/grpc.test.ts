// The component for gRPC: one port from the setting to the Service, let in by a policy, and none of it in a fleet without the component.
import { describe, expect, test } from 'vitest';
import { HANG_MS } from '../support/eventually.ts';
import { containerOf } from '../support/fleet-settings.ts';
import type { Manifest } from '../support/manifests.ts';
import { kubectlObstacle, pick, render } from '../support/manifests.ts';

/** Where gRPC is open: the port of the setting, of the container and of the Service, and the ports that each policy of the API lets in. */
function opened(manifests: readonly Manifest[]) {
  const container = containerOf(manifests, 'api') as unknown as {
    env: { name: string; value?: string }[];
    ports: { name: string; containerPort: number }[];
  };
  const ports: { name: string }[] = pick(manifests, 'Service', 'warren-api')['spec'].ports;
  return {
    setting: container.env.find(({ name }) => name === 'GRPC_PORT')?.value,
    container: container.ports.map(({ name, containerPort }) => [name, containerPort]),
    service: ports.map(({ name }) => name),
    grpc: ports.find(({ name }) => name === 'grpc'),
    policies: manifests
      .filter(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name.startsWith('warren-api'))
      .map(({ spec }) => spec.ingress[0].ports.map(({ port }: { port: string }) => port)),
  };
}

const title = kubectlObstacle ?? 'gRPC in the manifests';
describe.skipIf(kubectlObstacle !== undefined)(title, { timeout: HANG_MS }, () => {
  test('is a port from the setting to the Service, beside HTTP, and every policy still lets HTTP in', () => {
    expect(opened(render({ from: 'base', components: ['network-policies', 'grpc'] }))).toEqual({
      setting: '50051',
      container: expect.arrayContaining([
        ['http', 3000],
        ['grpc', 50_051],
      ]),
      service: expect.arrayContaining(['http', 'grpc']),
      grpc: { name: 'grpc', port: 50_051, targetPort: 'grpc', appProtocol: 'kubernetes.io/h2c' },
      policies: expect.arrayContaining([['http'], ['http', 'grpc']]),
    });
  });

  test('is closed without the component', () => {
    expect(opened(render({ from: 'base', components: ['network-policies'] }))).toEqual({
      setting: undefined,
      container: [['http', 3000]],
      service: ['http'],
      grpc: undefined,
      policies: [['http']],
    });
  });
});
