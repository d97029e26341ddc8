// What the kernel knows about a process: enough to tell a process of ours from a stranger that got its number later.
// Needs /proc (Linux); elsewhere nothing is recognised and therefore nothing is ever killed by number.
import { readFileSync } from 'node:fs';

export type RunningProcess = {
  /** Start time in clock ticks since boot: with the pid, unique until the next boot. */
  readonly startTicks: string;
  /** The arguments, separated by blanks. */
  readonly commandLine: string;
};

/** Undefined when there is no such process, or only its unreaped remains. */
export function readRunningProcess(pid: number): RunningProcess | undefined {
  try {
    const status = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (status === undefined || status.state === 'Z' || status.state === 'X') return undefined;
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { startTicks: status.startTicks, commandLine };
  } catch {
    // ENOENT or ESRCH: it is gone. EACCES: it is not ours.
    return undefined;
  }
}

/** Fields 3 and 22 of proc(5)'s stat line; the second field, the name, may contain blanks and brackets. */
export function parseStat(line: string): { state: string; startTicks: string } | undefined {
  const fields = line
    .slice(line.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const state = fields[0];
  const startTicks = fields[19];
  return state && startTicks ? { state, startTicks } : undefined;
}

/** Signals a whole process group; false when it is gone already. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  return send(-pid, signal);
}

export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  return send(pid, signal);
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    // ESRCH: nobody there any more, which is what a signal is sent for.
    return false;
  }
}
