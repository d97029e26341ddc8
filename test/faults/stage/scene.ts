// What a row has in its hands while it plays: the stage, the load, and the notes from which its verdict is made.

import { monotonicMs } from '../../../bench/stage/monotonic.ts';
import type { Figures } from '../books/checker.ts';
import type { Run } from '../books/effect-book.ts';
import type { FaultStage, FaultStageOptions } from './fault-stage.ts';
import type { Load } from './load.ts';
import type { Random } from './random.ts';
import type { FaultServers } from './servers.ts';

export interface Check {
  name: string;
  bar: string;
  seen: string | number;
  ok: boolean;
}

export class Scene {
  readonly stage: FaultStage;
  readonly load: Load;
  readonly servers: FaultServers;
  readonly random: Random;
  /** 1: the load of the matrix. Less: a quicker run, whose verdicts are not kept. */
  readonly scale: number;
  /** That the fault took effect. One that did not makes the row void. */
  readonly proofs: Check[] = [];
  readonly checks: Check[] = [];
  readonly figures: Record<string, string | number> = {};
  healedAt: number | undefined;
  /** Keys whose job may end otherwise than completed. */
  readonly terminal = new Set<string>();
  /** Messages that belong into `warren.dead`. */
  expectedDead = 0;

  constructor(parts: Pick<Scene, 'stage' | 'load' | 'servers' | 'random' | 'scale'>) {
    this.stage = parts.stage;
    this.load = parts.load;
    this.servers = parts.servers;
    this.random = parts.random;
    this.scale = parts.scale;
  }

  /** The size of a load, or the length of a fault, at this scale. */
  size(full: number): number {
    return Math.ceil(full * this.scale);
  }

  prove(name: string, seen: string | number, ok: boolean): void {
    this.proofs.push({ name, bar: 'the fault took effect', seen, ok });
  }

  check(name: string, bar: string, seen: string | number, ok: boolean): void {
    this.checks.push({ name, bar, seen, ok });
  }

  atMost(name: string, bar: number, seen: number | undefined): void {
    this.check(
      name,
      `<= ${bar}`,
      seen === undefined ? 'never' : round(seen),
      seen !== undefined && seen <= bar,
    );
  }

  exactly(name: string, bar: string | number, seen: string | number): void {
    this.check(name, `= ${bar}`, seen, seen === bar);
  }

  figure(name: string, value: string | number): void {
    this.figures[name] = typeof value === 'number' ? round(value) : value;
  }

  /** The fault is over. */
  healed(): void {
    this.healedAt = monotonicMs();
  }
}

export function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}

/** What is known after the drain. */
export interface Aftermath {
  figures: Figures;
  runs: readonly Run[];
}

export interface Row {
  number: number;
  title: string;
  isCore?: boolean;
  stage?: Partial<
    Pick<
      FaultStageOptions,
      'workerQueues' | 'env' | 'apiEnv' | 'workerEnv' | 'workers' | 'proxied' | 'openBroker'
    >
  >;
  /** Starts more runs than jobs by its nature; the bound is the row's own check. Defaults to 0 extra runs. */
  allowsExtraRuns?: boolean;
  /** How many pairs of runs may overlap. Defaults to 0. */
  maxOverlaps?: number;
  /** Broker deliveries per job. Defaults to 1.2. */
  maxAmplification?: number;
  /** Lines in the logs that this fault must leave there. */
  expectedLines?: RegExp;
  /** Load and fault, until the fault is healed and the load has ended. */
  play: (scene: Scene) => Promise<void>;
  /** Further checks, after the drain. */
  judge?: (scene: Scene, aftermath: Aftermath) => Promise<void> | void;
}
