// The processor time of process trees, as the kernel counts it (/proc/<pid>/stat, in ticks of 10 ms): what a run has cost each process.
// A tree is a process and its children, those included that have ended and been waited for, so that Postgres' backends count.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

/** The processes of a run, by the name that stands in the table. */
export type Participants = Readonly<Record<string, number>>;

const TICKS_PER_SECOND = 100;

/** Seconds by name since the process began. Zero for a tree that is gone. */
export function readProcessorTime(participants: Participants): Record<string, number> {
  const ticks = readTicks();
  return Object.fromEntries(
    Object.entries(participants).map(([name, pid]) => [name, sumTree(pid, ticks) / TICKS_PER_SECOND]),
  );
}

/** What came between two readings, in seconds. */
export function processorTimeBetween(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
  );
}

/** Readings of the whole machine and of what this benchmark has started: the difference is what others have taken from it. */
export interface MachineTime {
  /** Seconds since the machine began, of all processors. */
  total: number;
  busy: number;
  own: number;
}

export function readMachineTime(): MachineTime {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, hard = 0, soft = 0, stolen = 0] = line
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  // What the kernel does in interrupts, most of it for our own sockets, belongs to nobody.
  const busy = user + nice + system + stolen;
  const total = busy + idle + wait + hard + soft;
  return { total, busy, own: readProcessorTime({ own: process.pid })['own'] ?? 0 };
}

/** The share of all processors that others have taken, stolen time included. */
export function othersShare(before: MachineTime, after: MachineTime): number {
  const others = after.busy - before.busy - (after.own - before.own);
  return Math.max(0, others / (after.total - before.total));
}

/** RabbitMQ and Postgres where they are private ones of this benchmark; nothing of servers that were configured. */
export function serverParticipants({ folder }: Stage): Participants {
  const participants: Record<string, number> = {};
  for (const { pid, marker } of readServiceProcesses(folder)) {
    if (marker.endsWith('/home')) participants['RabbitMQ'] = pid;
    if (/\/data-\d+$/.test(marker)) participants['Postgres'] = pid;
  }
  return participants;
}

function readServiceProcesses(folder: string): { pid: number; marker: string }[] {
  try {
    return JSON.parse(readFileSync(join(folder, 'processes.json'), 'utf8')).processes;
  } catch {
    return []; // configured servers, or containers: no process of ours
  }
}

interface Ticks {
  parent: number;
  own: number;
  endedChildren: number;
}

function readTicks(): Map<number, Ticks> {
  const all = new Map<number, Ticks>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const line = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // From the third field of proc(5) on: the second, the name, may contain blanks and brackets.
      const fields = line
        .slice(line.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const [parent = 0, user = 0, system = 0, childUser = 0, childSystem = 0] = [1, 11, 12, 13, 14].map(
        (at) => fields[at],
      );
      all.set(Number(entry), { parent, own: user + system, endedChildren: childUser + childSystem });
    } catch {
      // It has ended meanwhile: its parent counts it.
    }
  }
  return all;
}

function sumTree(pid: number, all: ReadonlyMap<number, Ticks>): number {
  const ticks = all.get(pid);
  if (ticks === undefined) return 0;
  const children = [...all].filter(([, { parent }]) => parent === pid);
  return ticks.own + ticks.endedChildren + children.reduce((sum, [child]) => sum + sumTree(child, all), 0);
}
