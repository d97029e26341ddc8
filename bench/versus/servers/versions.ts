// Which version of which contender takes part, from the packages that are installed.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VersusServers } from './servers.ts';

const modules = join(import.meta.dirname, '../node_modules');
const packages = { bullmq: 'BullMQ', 'pg-boss': 'pg-boss', 'graphile-worker': 'graphile-worker' };

export async function readVersions({ redis }: VersusServers): Promise<Record<string, string>> {
  const versions = Object.entries(packages).map(([name, title]) => {
    const text = readFileSync(join(modules, name, 'package.json'), 'utf8');
    return [title, (JSON.parse(text) as { version: string }).version];
  });
  return { ...Object.fromEntries(versions), Redis: await redis.always.version() };
}
