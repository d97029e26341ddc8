// Who may claim a record, and which processes of a former owner are stopped: with real processes, but no servers.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { isRecordedProcess, ProcessRecord } from '../../dev/process-record.ts';
import { parseStat, readRunningProcess } from '../../dev/running-process.ts';

const log = () => undefined;
let folder = '';
let file = '';
let sleeper: ChildProcess;

const pidOf = ({ pid }: ChildProcess) => pid ?? 0;
const ticksOf = (pid: number) => readRunningProcess(pid)?.startTicks ?? '';

describe.skipIf(!existsSync('/proc/self/stat'))('the record of processes', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'warren-record-'));
    file = join(folder, 'processes.json');
    sleeper = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
    await once(sleeper, 'spawn');
  });

  afterEach(() => {
    sleeper.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  function leave(marker: string, startTicks = ticksOf(pidOf(sleeper))): void {
    const processes = [{ pid: pidOf(sleeper), startTicks, marker, stopSignal: 'SIGTERM' }];
    // A process that has certainly ended: the ticks are those of nobody.
    writeFileSync(file, JSON.stringify({ owner: { pid: process.pid, startTicks: '1' }, processes }));
  }

  test('a living owner keeps others out until it releases', async () => {
    const record = await ProcessRecord.claim({ file, log });
    await expect(ProcessRecord.claim({ file, log })).rejects.toThrow(`already running (pid ${process.pid})`);
    record.release();
    (await ProcessRecord.claim({ file, log })).release();
    expect(existsSync(file)).toBe(false);
  });

  test('a process that a dead owner left is stopped', async () => {
    leave('sleep 300');
    const ended = once(sleeper, 'exit');
    await ProcessRecord.claim({ file, log });
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  test('a process that ignores the stop signal is killed', async () => {
    sleeper.kill('SIGKILL');
    const script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    sleeper = spawn('sh', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    if (sleeper.stdout) await once(sleeper.stdout, 'data');
    leave('echo ready');
    const ended = once(sleeper, 'exit');
    await ProcessRecord.claim({ file, log });
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  test.each([
    ['another command line', 'somewhere else', undefined],
    ['another start time', 'sleep 300', '1'],
  ])('a stranger that got the number (%s) is left alone', async (_title, marker, startTicks) => {
    leave(marker, startTicks);
    await ProcessRecord.claim({ file, log });
    expect(readRunningProcess(pidOf(sleeper))).toBeDefined();
  });

  test('a damaged record is replaced', async () => {
    writeFileSync(file, '{"owner":');
    const record = await ProcessRecord.claim({ file, log });
    record.release();
  });

  test('killAll ends what was added and nothing else', async () => {
    const record = await ProcessRecord.claim({ file, log });
    record.add({ pid: pidOf(sleeper), marker: 'sleep 300', stopSignal: 'SIGTERM' });
    record.add({ pid: process.pid, marker: 'not our command line', stopSignal: 'SIGTERM' });
    const ended = once(sleeper, 'exit');
    record.killAll();
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  test('a number that nobody has is not a recorded process', () => {
    expect(isRecordedProcess({ pid: 2 ** 22 + 1, startTicks: '1', marker: '' })).toBe(false);
  });
});

test('a process name with blanks and brackets does not shift the fields of its stat line', () => {
  const fields = ['S', ...Array.from({ length: 18 }, (_, index) => String(index)), '4711', '99'];
  expect(parseStat(`17 (a b) c) ${fields.join(' ')}\n`)).toEqual({ state: 'S', startTicks: '4711' });
  expect(parseStat('')).toBeUndefined();
});
