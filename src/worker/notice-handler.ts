/**
 * What a worker does when it hears a notice: it looks at the rows, for a notice is a hint that everybody may send.
 *
 * Guarantees: a notice alone changes nothing; a flood of notices costs a bounded number of looks.
 */
import { coalesce } from '#shared/base/coalesce.ts';
import type { PresenceOptions } from '#shared/postgres/presence.ts';
import type { Attempts } from './attempt.ts';
import type { FallbackLane } from './fallback-lane.ts';
import type { Maintenance } from './maintenance/maintenance.ts';
import type { RowLooks } from './row-looks.ts';

/** Between two looks for due jobs that were woken by a notice, in milliseconds. */
const BETWEEN_WAKES_MS = 20;

export interface NoticeHandlerOptions {
  attempts: Pick<Attempts, 'runs'>;
  rowLooks: Pick<RowLooks, 'atOwnJobs' | 'atQueues'>;
  maintenance: Pick<Maintenance, 'wake'>;
  fallbackLane: Pick<FallbackLane, 'wake'>;
}

export function createNoticeHandler(options: NoticeHandlerOptions): PresenceOptions['onNotice'] {
  const { attempts, rowLooks, maintenance, fallbackLane } = options;
  const lookForDueJobs = coalesce(async () => {
    maintenance.wake('scheduler', 'ticker', 'relay', 'gatekeeper');
    fallbackLane.wake();
  }, BETWEEN_WAKES_MS);
  // A queue that is resumed lets its held jobs go on.
  const lookForHeldJobs = coalesce(async () => maintenance.wake('gatekeeper'), BETWEEN_WAKES_MS);
  return (notice) => {
    switch (notice.kind) {
      case 'cancel':
        if (attempts.runs(notice.jobId)) void rowLooks.atOwnJobs();
        break;
      case 'due':
        void lookForDueJobs();
        break;
      case 'queues':
        void rowLooks.atQueues();
        void lookForHeldJobs();
        break;
    }
  };
}
