// What is done to all contenders at the same time.
import type { Server } from '../contender.ts';
import type { Act } from './act.ts';
import type { FaultyServers } from './faulty-servers.ts';

export interface Scenario {
  name: string;
  title: string;
  /** Only contenders that use one of these take part. Defaults to all. */
  servers?: readonly Server[];
  /** The acts have begun: workers run, nothing waits. */
  play(acts: readonly Act[], servers: FaultyServers): Promise<void>;
}

/** Plays on every fleet by itself; one that fails does not end the others. Each begins so much later than the one before. */
export async function playEach(
  acts: readonly Act[],
  play: (act: Act, index: number) => Promise<void>,
): Promise<void> {
  await Promise.all(
    acts.map(async (act, index) => {
      if (act.error !== undefined) return;
      try {
        await play(act, index);
      } catch (error) {
        act.error = error instanceof Error ? error.message : String(error);
      }
    }),
  );
}
