// What the admission policy of `deletion-cost` lets a worker do, by evaluating its own expressions as the API server would.
import { Environment } from '@marcbachmann/cel-js';
import { describe, expect, test } from 'vitest';
import { HANG_MS } from '../support/eventually.ts';
import type { Manifest } from '../support/manifests.ts';
import { kubectlObstacle, pick, render } from '../support/manifests.ts';

const cost = 'controller.kubernetes.io/pod-deletion-cost';
const worker = 'system:serviceaccount:warren:warren-worker';

type Pod = {
  metadata: {
    name: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: { name: string }[];
  };
  spec: { containers: { image: string }[] };
};

type Update = {
  user?: string;
  tokenOf?: string | undefined;
  change: (pod: Pod) => void;
  annotated?: boolean;
};

function pod(annotated: boolean): Pod {
  return {
    metadata: {
      name: 'worker-1',
      labels: { app: 'worker' },
      ownerReferences: [{ name: 'replica-set' }],
      ...(annotated ? { annotations: { note: 'of somebody else', [cost]: '3' } } : {}),
    },
    spec: { containers: [{ image: 'warren-worker' }] },
  };
}

/** The messages of the validations that refuse the update; undefined where the policy is not asked at all. */
function refusals(policy: Manifest, { user = worker, change, annotated = true, ...update }: Update) {
  const tokenOf = 'tokenOf' in update ? update.tokenOf : 'worker-1';
  const environment = new Environment({ unlistedVariablesAreDyn: true });
  const object = pod(annotated);
  change(object);
  const extra = tokenOf === undefined ? {} : { 'authentication.kubernetes.io/pod-name': [tokenOf] };
  const request = { name: 'worker-1', namespace: 'warren', userInfo: { username: user, extra } };
  const context = { object, oldObject: pod(annotated), request, variables: {} as Record<string, unknown> };
  const evaluate = (expression: string) => environment.evaluate(expression, context);
  const { spec } = policy as unknown as {
    spec: Record<string, { name: string; expression: string; message: string }[]>;
  };
  if (!spec['matchConditions']?.every(({ expression }) => evaluate(expression))) return undefined;
  for (const { name, expression } of spec['variables'] ?? []) context.variables[name] = evaluate(expression);
  return spec['validations']
    ?.filter(({ expression }) => evaluate(expression) !== true)
    .map(({ message }) => message);
}

describe.skipIf(kubectlObstacle !== undefined)(kubectlObstacle ?? 'a worker', { timeout: HANG_MS }, () => {
  const policy = () =>
    pick(
      render({ from: 'base', components: ['deletion-cost'] }),
      'ValidatingAdmissionPolicy',
      'warren-worker-deletion-cost',
    );
  const setCost = ({ metadata }: Pod) => {
    metadata.annotations = { ...metadata.annotations, [cost]: '7' };
  };

  test.each([
    ['changes', true],
    ['adds', false],
  ])('%s the deletion cost of its own pod', (_, annotated) => {
    expect(refusals(policy(), { change: setCost, annotated })).toEqual([]);
  });

  const refused: [string, string, Omit<Update, 'change'> & { change?: Update['change'] }][] = [
    ['another pod', 'a worker may change its own pod alone', { tokenOf: 'worker-2' }],
    ['with a token of no pod', 'a worker may change its own pod alone', { tokenOf: undefined }],
    [
      'another annotation',
      'a worker may change no annotation but its deletion cost',
      { change: ({ metadata }) => Object.assign(metadata.annotations ?? {}, { note: 'mine' }) },
    ],
    [
      'a new annotation',
      'a worker may change no annotation but its deletion cost',
      { change: ({ metadata }) => Object.assign(metadata.annotations ?? {}, { other: 'mine' }) },
    ],
    [
      'an annotation away',
      'a worker may change no annotation but its deletion cost',
      { change: ({ metadata }) => delete metadata.annotations?.['note'] },
    ],
    [
      'its image',
      'a worker may change nothing of its pod but an annotation',
      { change: ({ spec }) => Object.assign(spec.containers[0] ?? {}, { image: 'other' }) },
    ],
    [
      'its labels',
      'a worker may change nothing of its pod but an annotation',
      { change: ({ metadata }) => Object.assign(metadata.labels ?? {}, { app: 'api' }) },
    ],
    [
      'its labels away',
      'a worker may change nothing of its pod but an annotation',
      { change: ({ metadata }) => delete metadata.labels },
    ],
    [
      'its finalizers',
      'a worker may change nothing of its pod but an annotation',
      { change: ({ metadata }) => Object.assign(metadata, { finalizers: ['for/ever'] }) },
    ],
    [
      'its owner',
      'a worker may change nothing of its pod but an annotation',
      { change: ({ metadata }) => delete metadata.ownerReferences },
    ],
  ];

  test.each(refused)('does not change %s', (_, message, update) => {
    expect(refusals(policy(), { change: setCost, ...update })).toEqual([message]);
  });

  test('is the only one who is asked: a kubelet and an administrator change what they like', () => {
    for (const user of ['system:node:one', 'system:serviceaccount:other:warren-worker', 'kubernetes-admin'])
      expect(refusals(policy(), { user, change: ({ spec }) => spec.containers.pop() })).toBeUndefined();
  });
});
