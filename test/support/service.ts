// What a Kubernetes Service is to its clients: a connection goes to one of the endpoints when it is opened, and stays there until it is closed.
// Guarantees: like kube-proxy it neither looks into a connection nor moves one, and an endpoint that was taken out gets no new ones.
import { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';

export class Service {
  readonly #ports: number[] = [];
  #turn = 0;

  add(port: number): void {
    this.#ports.push(port);
  }

  remove(port: number): void {
    this.#ports.splice(this.#ports.indexOf(port), 1);
  }

  /** For one client: its connections go to the endpoints in turn. `keepAlive`: it uses a connection again, for as long as it may. */
  agent({ keepAlive }: { keepAlive: boolean }): Agent {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    agent.createConnection = () => this.#connect();
    return agent;
  }

  #connect(): Socket {
    const port = this.#ports[this.#turn % this.#ports.length];
    this.#turn += 1;
    if (port === undefined) throw new Error('the service has no endpoint');
    return connect({ host: '127.0.0.1', port, noDelay: true });
  }
}
