// RabbitMQ's management API of a cluster, save for connections and channels: those are listed by the nodes themselves, through `rabbitmqctl`.
// After a partition the management plugin of 3.10 may leave out the connections of some nodes.

import type { ClusterNode } from '../../../dev/services/cluster-node.ts';
import type { ChannelInfo, ConnectionInfo } from '../../support/management-client.ts';
import { ManagementClient } from '../../support/management-client.ts';

export interface ClusterConnection extends ConnectionInfo {
  readonly node: string;
}

interface Options {
  managementUrl: string;
  vhost: string;
  nodes: readonly ClusterNode[];
}

export class ClusterManagement extends ManagementClient {
  readonly #nodes: readonly ClusterNode[];
  readonly #vhost: string;

  constructor({ managementUrl, vhost, nodes }: Options) {
    super({ managementUrl, vhost });
    this.#nodes = nodes;
    this.#vhost = vhost;
  }

  override async connections(): Promise<ClusterConnection[]> {
    const found = await this.#list<Listed>('list_connections', 'name', 'vhost', 'client_properties');
    return found
      .filter(({ vhost }) => vhost === this.#vhost)
      .map(({ name, client_properties: properties }) => {
        const node = this.#nodes.find(({ amqp }) => name.endsWith(`:${amqp.port}`))?.name ?? '';
        const given = properties.find(([key]) => key === 'connection_name')?.[2];
        return { name, node, ...(given === undefined ? {} : { user_provided_name: given }) };
      });
  }

  override async channels(): Promise<ChannelInfo[]> {
    const found = await this.#list<{ name: string; vhost: string; number: number }>(
      'list_channels',
      'name',
      'vhost',
      'number',
    );
    return found
      .filter(({ vhost }) => vhost === this.#vhost)
      .map(({ name, number }) => ({
        name,
        number,
        connection_details: { name: name.replace(/ \(\d+\)$/, '') },
      }));
  }

  /** Of all nodes, as the first one lists them that runs. */
  async #list<T>(...command: string[]): Promise<T[]> {
    const node = this.#nodes.find(({ running }) => running);
    if (node === undefined) throw new Error('no node runs');
    return JSON.parse(await node.ctl('--formatter', 'json', ...command)) as T[];
  }
}

interface Listed {
  name: string;
  vhost: string;
  client_properties: [key: string, type: string, value: string][];
}
