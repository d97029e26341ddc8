// Plays one row from an empty stage to its verdict.

import { judge } from './judge.ts';
import { readHoldings } from './leaks.ts';
import { checkReachable } from './reachable.ts';
import { FaultStage } from './stage/fault-stage.ts';
import { Load } from './stage/load.ts';
import { seededRandom } from './stage/random.ts';
import type { Row } from './stage/scene.ts';
import { Scene } from './stage/scene.ts';
import type { FaultServers } from './stage/servers.ts';
import type { Source } from './stage/source.ts';
import type { Verdict } from './verdict.ts';
import { decide } from './verdict.ts';

export interface PlayOptions {
  row: Row;
  servers: FaultServers;
  seed: number;
  scale: number;
  source: Source;
  control?: string | undefined;
}

export async function playRow({ row, servers, seed, scale, source, control }: PlayOptions): Promise<Verdict> {
  const startedAt = performance.now();
  const at = new Date().toISOString();
  await checkReachable(servers);
  const name = `fault_${row.number}${control === undefined ? '' : '_control'}`;
  const stage = await FaultStage.open({ ...row.stage, name, source: source.folder, servers });
  const random = seededRandom(seed + row.number);
  const load = new Load({ urls: stage.apis.map(({ url }) => url), book: stage.submits, random });
  const scene = new Scene({ stage, load, servers, random, scale });
  let error: string | undefined;
  try {
    await stage.start();
    const before = readHoldings(stage);
    await row.play(scene);
    await judge(row, scene, before);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  } finally {
    load.giveUp();
    await stage.close();
  }
  const { proofs, checks, figures } = scene;
  const notes = { proofs, checks, ...(error === undefined ? {} : { error }) };
  return {
    row: row.number,
    title: row.title,
    ...(control === undefined ? {} : { control }),
    verdict: decide(notes),
    seed,
    commit: source.commit,
    isSourceChanged: source.isSourceChanged,
    scale,
    at,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    figures,
    ...notes,
  };
}
