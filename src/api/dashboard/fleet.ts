/**
 * The pages of what is not a job: queues and types, schedules, limits, workers, batches, each by the use case that the routes of the API call, too.
 */
import type { Batches } from '#queue/batches/batches.ts';
import type { Browser } from '#queue/browse.ts';
import type { DeadLetters } from '#queue/dead-letters.ts';
import type { Limits } from '#queue/gates/limits.ts';
import type { QueueControl } from '#queue/queue-control.ts';
import type { Schedules } from '#queue/schedules/schedules.ts';
import type { TypeControl } from '#queue/type-control.ts';
import type { Workers } from '#queue/workers.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { redactJob } from '#shared/job/redaction.ts';
import { batchesPage, batchPage } from './batch-page.ts';
import { deadLettersPage, readAtMost } from './dead-letters-page.ts';
import { limitsPage, readLimit } from './limits-page.ts';
import type { Pages } from './pages.ts';
import { queuesPage, readSettings } from './queues-page.ts';
import { schedulePage, schedulesPage } from './schedules-page.ts';
import { workersPage } from './workers-page.ts';

const PAGE_TICKS = 50;

export interface FleetPagesDependencies {
  browser: Browser;
  queueControl: QueueControl;
  typeControl: TypeControl;
  schedules: Schedules;
  limits: Limits;
  batches: Batches;
  workers: Workers;
  deadLetters: DeadLetters;
  definitions: ReadonlyMap<string, JobDefinition>;
}

export function registerFleetPages(pages: Pages, dependencies: FleetPagesDependencies): void {
  registerQueuePages(pages, dependencies);
  registerSchedulePages(pages, dependencies);
  registerDeadLetterPages(pages, dependencies);
  const { limits, batches, workers } = dependencies;

  pages.get('/dashboard/limits', async (viewer) => limitsPage(viewer, await limits.list()));
  pages.post('/dashboard/limits/:name/set', async ({ param, fields }) => {
    await limits.put(param('name'), readLimit(fields));
    return { to: '/dashboard/limits', query: { done: 'set' } };
  });
  pages.post('/dashboard/limits/:name/delete', async ({ param }) => {
    await limits.delete(param('name'));
    return { to: '/dashboard/limits', query: { done: 'forgotten' } };
  });

  pages.get('/dashboard/workers', async (viewer) => workersPage(viewer, await workers.list()));
  pages.post('/dashboard/workers/:id/drain', async ({ param }) => {
    await workers.drain(param('id'));
    return { to: '/dashboard/workers', query: { done: 'draining' } };
  });

  pages.get('/dashboard/batches', async (viewer) =>
    batchesPage(viewer, await batches.list({ cursor: viewer.query.get('cursor') ?? undefined })),
  );
  pages.get('/dashboard/batches/:id', async (viewer, param) =>
    batchPage(viewer, await batches.find(param('id'))),
  );
  const batchAct = (name: 'close' | 'cancel', done: string) =>
    pages.post(`/dashboard/batches/:id/${name}`, async ({ param }) => {
      const { id } = await batches[name](param('id'));
      return { to: `/dashboard/batches/${id}`, query: { done } };
    });
  batchAct('close', 'closed');
  batchAct('cancel', 'batch-cancelled');
}

function registerQueuePages(
  pages: Pages,
  { browser, queueControl, typeControl }: FleetPagesDependencies,
): void {
  const done = (word: string) => ({ to: '/dashboard/queues', query: { done: word } });

  pages.get('/dashboard/queues', async (viewer) => {
    const [queues, types] = await Promise.all([browser.queues(), typeControl.list()]);
    return queuesPage(viewer, { queues, types });
  });

  pages.post('/dashboard/queues/:name/pause', async ({ param }) => {
    await queueControl.pause(param('name'));
    return done('paused');
  });
  pages.post('/dashboard/queues/:name/resume', async ({ param }) => {
    await queueControl.resume(param('name'));
    return done('resumed');
  });
  pages.post('/dashboard/queues/:name/set', async ({ param, fields }) => {
    await queueControl.set(param('name'), readSettings(fields));
    return done('set');
  });
  pages.post('/dashboard/queues/:name/drain', async ({ param }) => {
    await queueControl.drain(param('name'));
    return done('drained');
  });
  pages.post('/dashboard/types/:type/pause', async ({ param }) => {
    await typeControl.pause(param('type'));
    return done('paused');
  });
  pages.post('/dashboard/types/:type/resume', async ({ param }) => {
    await typeControl.resume(param('type'));
    return done('resumed');
  });
}

function registerDeadLetterPages(
  pages: Pages,
  { browser, deadLetters }: Pick<FleetPagesDependencies, 'browser' | 'deadLetters'>,
): void {
  const to = '/dashboard/dead-letters';

  pages.get(to, async (viewer) => {
    const [page, { discarded }] = await Promise.all([deadLetters.list(), browser.counts({})]);
    return deadLettersPage(viewer, { page, discarded });
  });

  const act = (name: 'resend' | 'delete', done: string) => {
    pages.post(`${to}/${name}`, async ({ fields }) => {
      await deadLetters[name]({ atMost: readAtMost(fields) });
      return { to, query: { done } };
    });
    pages.post(`${to}/:id/${name}`, async ({ param }) => {
      await deadLetters[name]({ id: param('id') });
      return { to, query: { done } };
    });
  };
  act('resend', 'sent-again');
  act('delete', 'letters-deleted');
}

function registerSchedulePages(pages: Pages, { schedules, definitions }: FleetPagesDependencies): void {
  pages.get('/dashboard/schedules', async (viewer) =>
    schedulesPage(viewer, await schedules.list({ cursor: viewer.query.get('cursor') ?? undefined })),
  );

  pages.get('/dashboard/schedules/:name', async (viewer, param) => {
    const cursor = viewer.query.get('cursor') ?? undefined;
    const [schedule, history] = await Promise.all([
      schedules.find(param('name')),
      schedules.history(param('name'), { cursor, limit: PAGE_TICKS }),
    ]);
    const shown = { args: schedule.args, output: null, errors: [] };
    return schedulePage(viewer, {
      schedule,
      history,
      args: redactJob(shown, definitions.get(schedule.type)).args,
    });
  });

  const act = (name: 'pause' | 'resume', done: string) =>
    pages.post(`/dashboard/schedules/:name/${name}`, async ({ param }) => {
      await schedules[name](param('name'));
      return { to: `/dashboard/schedules/${param('name')}`, query: { done } };
    });
  act('pause', 'paused');
  act('resume', 'resumed');
  pages.post('/dashboard/schedules/:name/run', async ({ param }) => ({
    to: `/dashboard/jobs/${await schedules.run(param('name'))}`,
    query: { done: 'enqueued' },
  }));
}
