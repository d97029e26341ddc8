// Where the nodes of a cluster live: each in a network namespace of its own, joined to the others by one cable each and to this machine by
// another, so that cables between nodes can be cut; or side by side on loopback where namespaces are not permitted, and nothing can be cut.
// Guarantees: addresses from 198.18.0.0/15, which is set aside for tests; what a run has made it removes, also what one before it has left.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { Home } from '../../../dev/services/cluster-node.ts';

const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const COMMAND_TIMEOUT_MS = 10_000;

export class ClusterNetwork {
  readonly homes: readonly Home[];
  /** Why nothing can be cut here; undefined where it can. */
  readonly obstacle: string | undefined;
  readonly #key: string;
  readonly #size: number;

  /** `folder`: two runs of different folders do not meet. */
  constructor({ folder, size }: { folder: string; size: number }) {
    this.#size = size;
    const digest = createHash('sha256').update(folder).digest();
    this.#key = digest.toString('hex').slice(0, 6);
    const base = ((digest[0] ?? 0) % 62) * 4;
    const numbers = Array.from({ length: size }, (_, n) => n);
    this.homes = numbers.map((n) => ({
      host: `node${n + 1}`,
      address: `198.18.${base + n}.2`,
      prefix: ['nsenter', `--net=/run/netns/${this.#namespace(n)}`],
    }));
    this.remove();
    try {
      for (const n of numbers) this.#makeNamespace(n);
      for (const n of numbers) for (const m of numbers.slice(n + 1)) this.#layCable(n, m);
    } catch (error) {
      this.remove();
      this.obstacle = error instanceof Error ? error.message : String(error);
      this.homes = this.homes.map(({ host }) => ({ host, address: '127.0.0.1', prefix: [] }));
    }
  }

  /** What goes between these two nodes is lost from now on, and neither is told. Nodes count from 0. */
  cut(n: number, m: number): void {
    for (const [from, to] of bothWays(n, m))
      ip('-n', this.#namespace(from), 'link', 'set', `to${to}`, 'down');
  }

  mend(n: number, m: number): void {
    for (const [from, to] of bothWays(n, m)) this.#plugIn(from, to);
  }

  /** For the end of the process too: nothing here waits. */
  remove(): void {
    for (let n = 0; n < this.#size; n += 1) {
      tryIp('link', 'del', this.#uplink(n));
      tryIp('netns', 'del', this.#namespace(n));
    }
  }

  #namespace(n: number): string {
    return `warren-${this.#key}-${n}`;
  }

  /** The end of the cable to node `n` that is on this machine; names of interfaces have 15 letters at most. */
  #uplink(n: number): string {
    return `wf${this.#key}-${n}`;
  }

  #makeNamespace(n: number): void {
    const namespace = this.#namespace(n);
    const address = this.homes[n]?.address ?? '';
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    ip('link', 'add', this.#uplink(n), 'type', 'veth', 'peer', 'name', 'home', 'netns', namespace);
    ip('address', 'add', address.replace(/2$/, '1/30'), 'dev', this.#uplink(n));
    ip('link', 'set', this.#uplink(n), 'up');
    ip('-n', namespace, 'address', 'add', `${address}/30`, 'dev', 'home');
    ip('-n', namespace, 'link', 'set', 'home', 'up');
  }

  #layCable(n: number, m: number): void {
    const peer = ['peer', 'name', `to${n}`, 'netns', this.#namespace(m)];
    ip('-n', this.#namespace(n), 'link', 'add', `to${m}`, 'type', 'veth', ...peer);
    this.mend(n, m);
  }

  /** A cable that was down has lost its route. */
  #plugIn(from: number, to: number): void {
    const namespace = this.#namespace(from);
    const route = [`${this.homes[to]?.address}/32`, 'dev', `to${to}`, 'src', this.homes[from]?.address ?? ''];
    ip('-n', namespace, 'link', 'set', `to${to}`, 'up');
    ip('-n', namespace, 'route', 'replace', ...route);
  }
}

function bothWays(n: number, m: number): (readonly [number, number])[] {
  return [
    [n, m],
    [m, n],
  ];
}

function ip(...args: string[]): void {
  const { status, stderr, error } = spawnSync('ip', args, {
    env: ENVIRONMENT,
    timeout: COMMAND_TIMEOUT_MS,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** For what may not be there. */
function tryIp(...args: string[]): void {
  spawnSync('ip', args, { env: ENVIRONMENT, timeout: COMMAND_TIMEOUT_MS });
}
