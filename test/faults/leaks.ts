// What processes hold on to: channels, file descriptors and memory, compared with what they held before the fault.
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import type { FaultStage } from './stage/fault-stage.ts';
import type { Check } from './stage/scene.ts';

const SETTLE_TIMEOUT_MS = 20_000;
/** Connections that the pool may still keep: they close after some idle seconds. */
const MAX_MORE_FILES = 12;

export interface Holdings {
  /** Without the connections of its HTTP clients. */
  files: number;
  residentMb: number;
}

/** By pid, of the processes that run now. */
export function readHoldings(stage: FaultStage): Map<number, Holdings> {
  return new Map(
    stage.members.flatMap(({ pid, url }) => {
      try {
        const files = readdirSync(`/proc/${pid}/fd`).length - inboundConnections(new URL(url).port);
        const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return [[pid, { files, residentMb: Number(kb) / 1_024 }] as const];
      } catch {
        return []; // it has ended meanwhile
      }
    }),
  );
}

/** Open connections of its HTTP clients: how long those keep them is not the server's choice. */
function inboundConnections(port: string): number {
  const local = `:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
  const isOpen = (line: string) => {
    const [, address = '', , state] = line.trim().split(/\s+/);
    return address.endsWith(local) && state === '01';
  };
  return readFileSync('/proc/net/tcp', 'utf8').split('\n').filter(isOpen).length;
}

/** Of the processes that have lived through it all. Answers the check, and the most memory that one of them has gained. */
export async function compareHoldings(
  stage: FaultStage,
  before: ReadonlyMap<number, Holdings>,
): Promise<{ check: Check; gainedMb: number }> {
  const gains = () =>
    [...readHoldings(stage)].flatMap(([pid, { files, residentMb }]) => {
      const former = before.get(pid);
      return former === undefined
        ? []
        : [{ pid, files: files - former.files, residentMb: residentMb - former.residentMb }];
    });
  const leaking = () => gains().filter(({ files }) => files > MAX_MORE_FILES);
  await eventually(leaking, (found) => found.length === 0, {
    timeoutMs: SETTLE_TIMEOUT_MS,
    everyMs: 500,
  }).catch(() => {});
  const found = leaking();
  const seen = found.map(({ pid, files }) => `${pid}: +${files}`).join(', ');
  return {
    check: {
      name: 'file descriptors more than before, per process',
      bar: `<= ${MAX_MORE_FILES}`,
      seen: found.length === 0 ? Math.max(0, ...gains().map(({ files }) => files)) : seen,
      ok: found.length === 0,
    },
    gainedMb: Math.max(0, ...gains().map(({ residentMb }) => residentMb)),
  };
}

/** Channels exactly: 4 per API, 20 per worker; one more connection, with one channel, for a worker that publishes. */
export async function checkChannels(stage: FaultStage): Promise<Check> {
  const wrong = () => findWrongChannels(stage);
  const found = await eventually(wrong, (names) => names.length === 0, {
    timeoutMs: SETTLE_TIMEOUT_MS,
    everyMs: 500,
  }).catch(wrong);
  return {
    name: 'channels: 4 per API, 20 per worker',
    bar: '= 0 others',
    seen: found.length === 0 ? 0 : found.join(', '),
    ok: found.length === 0,
  };
}

async function findWrongChannels({ management, members }: FaultStage): Promise<string[]> {
  const [connections, channels] = await Promise.all([management.connections(), management.channels()]);
  const counts = new Map<string, number[]>();
  for (const { name, user_provided_name: given = '' } of connections) {
    const count = channels.filter(({ connection_details }) => connection_details?.name === name).length;
    counts.set(given, [...(counts.get(given) ?? []), count]);
  }
  return members.flatMap(({ kind, pid }) => {
    const [, found = []] = [...counts].find(([given]) => given.endsWith(`:${pid}`)) ?? [];
    const sorted = found.toSorted((a, b) => b - a).join('+');
    const wanted = kind === 'api' ? ['4'] : ['20', '20+1'];
    return wanted.includes(sorted) ? [] : [`${kind} ${pid}: ${sorted}`];
  });
}
