// The checks of `warren doctor` for faults that no test can plant on servers that others use, too.
import { expect, test } from 'vitest';
import { managementChecks } from '../../src/queue/doctor/broker-checks.ts';
import type {
  Check,
  PostgresFacts,
  WithFleet,
  WithManagement,
  WithServer,
} from '../../src/queue/doctor/check.ts';
import { fleetChecks } from '../../src/queue/doctor/fleet-checks.ts';
import { accessChecks, serverChecks } from '../../src/queue/doctor/postgres-checks.ts';

const settings = {
  problem: undefined,
  unverifiedServers: [],
  wantedVersion: 5,
  poolOfProcess: 11,
  queueType: 'quorum' as const,
  queues: ['default'],
  hasBroker: true,
};
const server: WithServer['server'] = {
  schemaVersion: 5,
  clockAheadMs: 3,
  maxConnections: 97,
  openConnections: 20,
  ofDatabase: { limit: null, open: 20, holders: [] },
  holders: [{ name: 'warren-api@a:1', connections: 12 }],
  unsafeSettings: [],
  invalidIndexes: [],
  missingIndexes: [],
  missingTextIndexes: [],
  bloatedTables: [],
  tablesWithoutAutovacuum: [],
  longTransactions: [],
  preparedTransactions: [],
  idleSlots: [],
  transactionsLeft: 2_000_000_000,
};
const fleet: WithFleet['fleet'] = {
  workers: [
    {
      name: 'a',
      version: '1',
      lane: 'rabbitmq',
      loopDelayMs: 5,
      isBeating: true,
      silentSeconds: 0,
      isOver: false,
    },
  ],
  areClaimsOpen: true,
  leaderlessSeconds: 0,
  pausedQueues: [],
  pausedTypes: [],
  unservedQueues: [],
  unservedTypes: [],
  forgottenSeconds: null,
  overdueSeconds: null,
  orphans: 0,
  lateSchedules: [],
  programs: ['a'],
  lackedGrants: [],
};
const management: WithManagement['management'] = {
  alarms: [],
  stoppedNodes: [],
  partitions: [],
  queues: [],
  unbound: [],
};
const broker = { problem: undefined, missingQueues: [], deadLetters: 0, management };

function found<Facts>(checks: readonly Check<Facts>[], facts: Facts): string[] {
  return checks.filter(({ find }) => find(facts).length > 0).map(({ code }) => code);
}

test.each<[string, Partial<WithServer['server']>]>([
  ['schema-newer', { schemaVersion: 6 }],
  ['clock-skewed', { clockAheadMs: -4_000 }],
  ['server-unsafe', { unsafeSettings: ['fsync is off'] }],
  ['table-bloated', { bloatedTables: [{ name: 'jobs', dead: 90_000, live: 10 }] }],
  ['transaction-long', { longTransactions: [{ pid: 7, name: '', seconds: 900 }] }],
  ['transaction-long', { preparedTransactions: [{ name: 'x', seconds: 900 }] }],
  ['slot-idle', { idleSlots: ['standby'] }],
  ['wraparound-near', { transactionsLeft: 10_000_000 }],
  ['connections-short', { openConnections: 95 }],
  ['connections-short', { ofDatabase: { limit: 20, open: 20, holders: [] } }],
])('in Postgres %s, and nothing else', (code, fault) => {
  expect(found(serverChecks, { ...settings, server })).toEqual([]);
  expect(found(serverChecks, { ...settings, server: { ...server, ...fault } })).toEqual([code]);
});

test('that nobody works', () => {
  expect(found(fleetChecks, { ...settings, server, fleet })).toEqual([]);
  expect(found(fleetChecks, { ...settings, server, fleet: { ...fleet, workers: [] } })).toEqual([
    'no-worker',
  ]);
});

test('whether a worker that has fallen silent is still to be looked after', () => {
  const [living] = fleet.workers;
  const silent = { ...living, name: 'b', isBeating: false, silentSeconds: 90, isOver: true };
  const facts = (...workers: object[]) => ({
    ...settings,
    server,
    fleet: { ...fleet, workers: workers as typeof fleet.workers },
  });
  expect(found(fleetChecks, facts(living ?? {}, silent))).toEqual(['worker-gone']);
  expect(found(fleetChecks, facts(living ?? {}, { ...silent, isOver: false }))).toEqual(['worker-silent']);
  expect(found(fleetChecks, facts(silent))).toEqual(['no-worker', 'worker-silent']);
  expect(found(fleetChecks, facts(living ?? {}, { ...silent, silentSeconds: 700 }))).toEqual([]);
  expect(found(fleetChecks, facts(living ?? {}, { ...silent, silentSeconds: 20 }))).toEqual([]);
});

test.each<[string, Partial<WithManagement['management']>]>([
  ['broker-alarm', { alarms: ['disk of rabbit@a'] }],
  ['node-stopped', { stoppedNodes: ['rabbit@b'] }],
  ['node-stopped', { partitions: ['rabbit@b'] }],
])('in RabbitMQ %s, and nothing else', (code, fault) => {
  const facts = (now: typeof management) => ({ ...settings, broker, management: now });
  expect(found(managementChecks, facts(management))).toEqual([]);
  expect(found(managementChecks, facts({ ...management, ...fault }))).toEqual([code]);
});

test('a pooler that nobody has told of, which is no outage', () => {
  const facts = (postgresProblem: string): PostgresFacts => ({
    ...settings,
    postgresProblem,
    directProblem: undefined,
    database: undefined,
  });
  const refusal = 'unsupported startup parameter: search_path';
  expect(found(accessChecks, facts(refusal))).toEqual(['pooler-undeclared']);
  expect(found(accessChecks, facts('ECONNREFUSED'))).toEqual(['postgres-away']);
});
