/**
 * The grants that a worker needs, as docs/security.md has them for `warren_worker`: any worker may lead the maintenance, so each needs those of every chore.
 */
import type { Grants } from '#shared/postgres/assert-grants.ts';

const ALL = ['select', 'insert', 'update', 'delete'] as const;

export const WORKER_GRANTS: Grants = {
  migrations: ['select'],
  job_types: ['select', 'insert', 'update'],
  jobs: ALL,
  job_counts: ['select', 'insert', 'delete'],
  jobs_id_seq: ['usage'],
  queues: ['select', 'insert', 'update'],
  idempotency_keys: ['select', 'insert', 'delete'],
  unique_periods: ALL,
  schedules: ALL,
  schedule_ticks: ALL,
  limits: ALL,
  passes: ALL,
  batches: ALL,
  gates: ALL,
  workers: ALL,
  audit: ['select', 'delete'],
  leadership: ['select', 'update'],
  claims_open: ['select', 'insert'],
  unserved_types: ALL,
  event_watches: ['select', 'update', 'delete'],
  events: ['select', 'delete'],
  job_logs: ['select', 'insert'],
  job_progress: ['select', 'insert', 'update'],
};
