// Somebody else who decides ticks, as a leader does that has not noticed that its term is over: all the time, beside the one that leads.
import { setTimeout as delay } from 'node:timers/promises';
import type { decideTicks as DecideTicks } from '../../../src/queue/schedules/decide-ticks.ts';
import type { Events as EventsOfAProgram } from '../../../src/shared/observe/events.ts';
import type { Database as DatabaseOfAProgram } from '../../../src/shared/postgres/database.ts';
import type { Publisher as PublisherOfAProgram } from '../../../src/shared/rabbitmq/publisher.ts';
import type { FaultStage } from './fault-stage.ts';

const TICKERS = 3;
const LOOK_AGAIN_MS = 2;

/** By the source tree that the programs run. Publishes nothing: that is the relay's. */
export async function startSecondTicker({
  options: { source },
  databaseUrl,
}: FaultStage): Promise<{ stop: () => Promise<{ decided: number }> }> {
  const { decideTicks } = (await import(`${source}/queue/schedules/decide-ticks.ts`)) as {
    decideTicks: typeof DecideTicks;
  };
  const { Events } = (await import(`${source}/shared/observe/events.ts`)) as {
    Events: typeof EventsOfAProgram;
  };
  const { Database } = (await import(`${source}/shared/postgres/database.ts`)) as {
    Database: typeof DatabaseOfAProgram;
  };
  const { Publisher } = (await import(`${source}/shared/rabbitmq/publisher.ts`)) as {
    Publisher: typeof PublisherOfAProgram;
  };
  const events = new Events();
  const database = new Database({ url: databaseUrl, name: 'second ticker', min: 1, max: TICKERS, events });
  const publisher = new Publisher({ url: 'none', name: 'second ticker', channels: 1, queues: [], events });
  const stopping = new AbortController();
  let decided = 0;
  const run = async () => {
    while (!stopping.signal.aborted) {
      decided += await decideTicks({ database, publisher: () => publisher, events, onHeld: () => {} });
      await delay(LOOK_AGAIN_MS);
    }
  };
  const runs = Promise.all(Array.from({ length: TICKERS }, run));
  return {
    stop: async () => {
      stopping.abort();
      await runs;
      await database.stop();
      return { decided };
    },
  };
}
