// Guarantees that the servers of the core end with the test run, whatever ends it: the process that started them may be killed before it can.
import { resolve } from 'node:path';
import { killRecorded } from '../../dev/process-record.ts';

const record = resolve(import.meta.dirname, '../../.services/test/faults/processes.json');

export function setup(): void {
  process.once('exit', () => killRecorded(record));
}
