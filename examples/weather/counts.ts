/**
 * Counts of reports in Redis, or in Valkey, which speaks the same.
 *
 * Guarantees: a report is counted once, however often it comes: whether it was counted is asked and noted by the script that counts it. The note is
 * one bit, at the number of its job. A million of them share a key, which goes a month after its last report: 125 kB for each million.
 */
import { createClient } from '@redis/client';
import type { Report } from './report.ts';

/** `number`: that of its job, the same whenever the report is sent again. */
export type NumberedReport = Pick<Report, 'country' | 'weather'> & { number: string };

/** Where in the stream some reports stand: the last of them, and what was read before the first. -1 before the stream's beginning. */
export interface Place {
  previous: number;
  last: number;
}

export interface CountsShown {
  countries: Record<string, number>;
  weather: Record<string, number>;
  total: number;
}

const KEYS = ['country:counts', 'weather:counts', 'messages:total', 'stream:offset'];
const TIMEOUT_MS = 5_000;

/**
 * ARGV: what was read before, and the last place ('' for jobs); then number, country and weather of each report.
 * A server that was set back, to a backup or to an empty disk, knows less than was read before: then nothing is counted, and whoever reads begins again
 * where the server stands. More than a thousand kinds of weather are counted as one.
 */
const SCRIPT = `
if ARGV[1] ~= '' and tonumber(redis.call('GET', KEYS[4]) or '-1') < tonumber(ARGV[1]) then
  return redis.error_reply('SETBACK the server knows less of the stream than was read before')
end
local counted = 0
for at = 3, #ARGV, 3 do
  local number = tonumber(ARGV[at])
  local seen = string.format('reports:counted:%d', math.floor(number / 1000000))
  if redis.call('SETBIT', seen, number % 1000000, 1) == 0 then
    local weather = ARGV[at + 2]
    if redis.call('HLEN', KEYS[2]) >= 1000 and redis.call('HEXISTS', KEYS[2], weather) == 0 then
      weather = 'other'
    end
    redis.call('EXPIRE', seen, 2592000)
    redis.call('HINCRBY', KEYS[1], ARGV[at + 1], 1)
    redis.call('HINCRBY', KEYS[2], weather, 1)
    redis.call('INCR', KEYS[3])
    counted = counted + 1
  end
end
if ARGV[2] ~= '' and tonumber(ARGV[2]) > tonumber(redis.call('GET', KEYS[4]) or '-1') then
  redis.call('SET', KEYS[4], ARGV[2])
end
return counted`;

export class Counts implements AsyncDisposable {
  readonly #client: ReturnType<typeof connect>;

  /** Connects by itself, again and again. Until then every call fails. */
  constructor(url: string) {
    this.#client = connect(url);
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  /** Resolves with how many of them had not been counted. All are counted, or the call fails and may be made again. */
  async add(reports: readonly NumberedReport[], place?: Place): Promise<number> {
    const first = place === undefined ? ['', ''] : [String(place.previous), String(place.last)];
    const each = reports.flatMap(({ number, country, weather }) => [number, country, weather]);
    return Number(await this.#client.eval(SCRIPT, { keys: KEYS, arguments: [...first, ...each] }));
  }

  /** The last place of the stream that is counted; -1 where there is none. */
  async offset(): Promise<number> {
    return Number((await this.#client.get('stream:offset')) ?? -1);
  }

  /** All of one moment. */
  async read(): Promise<CountsShown> {
    const [countries, weather, total] = await this.#client
      .multi()
      .hGetAll('country:counts')
      .hGetAll('weather:counts')
      .get('messages:total')
      .exec();
    return { countries: numbers(countries), weather: numbers(weather), total: Number(total ?? 0) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
  }
}

function connect(url: string) {
  const client = createClient({
    url,
    // A command that waits for a server is sent at a time that nobody knows; whoever calls tries again.
    disableOfflineQueue: true,
    commandOptions: { timeout: TIMEOUT_MS },
    socket: { connectTimeout: TIMEOUT_MS, reconnectStrategy: (tries) => Math.min(50 * 2 ** tries, 2_000) },
  });
  client.on('error', () => undefined); // the calls fail, and it connects again
  client.connect().catch(() => undefined); // it was destroyed before it ever connected
  return client;
}

function numbers(hash: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(hash ?? {}).map(([name, count]) => [name, Number(count)]));
}
