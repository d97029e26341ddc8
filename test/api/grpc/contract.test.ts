import { expect, test } from 'vitest';
import { jobSchema, newJobSchema } from '../../../src/api/contract/job.ts';
import { loadContract } from '../../../src/api/grpc/contract.ts';
import { enumName } from '../../../src/api/grpc/job-message.ts';
import { encodeStatus } from '../../../src/api/grpc/status-details.ts';
import { onConflicts } from '../../../src/shared/job/job.ts';
import { jobStates } from '../../../src/shared/job/transitions.ts';

const { packageDefinition } = loadContract();

interface Descriptor {
  field?: { jsonName?: string; name: string }[];
  value?: { name: string }[];
}

/** Of a message or an enum. */
function names(type: string): string[] {
  const { field, value = [] } = (packageDefinition[`warren.v1.${type}`] as { type: Descriptor }).type;
  return (field ?? value).map(({ name }) => name.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase()));
}

test('a job has the same members over gRPC and over HTTP', () => {
  expect(names('Job').toSorted()).toEqual(Object.keys(jobSchema.shape).toSorted());
  expect(names('NewJob').toSorted()).toEqual(Object.keys(newJobSchema.shape).toSorted());
});

test('every state, and everything that becomes of a held key, has its number', () => {
  const values = (type: string) =>
    (packageDefinition[`warren.v1.${type}`] as { type: Descriptor }).type.value?.map(({ name }) => name);
  const expected = (prefix: string, all: readonly string[]) =>
    ['unspecified', ...all].map((value) => enumName(prefix, value));
  expect(values('JobState')?.toSorted()).toEqual(expected('JOB_STATE', jobStates).toSorted());
  expect(values('OnConflict')).toEqual(expected('ON_CONFLICT', onConflicts));
});

test('the details of an error fit into a trailer, whatever is wrong', () => {
  const issues = Array.from({ length: 20 }, () => ({
    pointer: `/args/${'ä'.repeat(5_000)}`,
    detail: '😀'.repeat(900),
  }));
  const encoded = encodeStatus(3, 'x'.repeat(500), { reason: 'invalid_body', issues });
  expect(encoded.byteLength).toBeLessThan(6_000);
  expect(encoded.byteLength).toBeGreaterThan(1_000);
});
