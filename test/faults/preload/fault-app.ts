// The application of the fault runs, for the programs as they are (WARREN_APP): the shop and the job types of the faults.
// So the API and the workers of a run are the real programs, and nothing in src/ knows of faults. FAULT_SOURCE names the source tree
// (a negative control runs another one), FAULT_BOOK the folder of the books: the handlers keep that of the effects, and what happens in the program that
// of the deliveries.
import type { defineJob as DefineJob } from '../../../src/jobs/define.ts';
import type { App } from '../../../src/shared/job/app.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';
import type { EventMessages, Events as EventsOfAProgram } from '../../../src/shared/observe/events.ts';
import { openDeliveryBook } from '../books/delivery-book.ts';
import { EACH_PLACES, faultJobs, GROUP_PLACES, WHOLE_PLACES } from './job-types.ts';

const source = process.env['FAULT_SOURCE'] ?? new URL('../../../src', import.meta.url).pathname;
const { app: shop } = (await import(`${source}/../examples/shop/app.ts`)) as { app: App };
const { Events } = (await import(`${source}/shared/observe/events.ts`)) as {
  Events: typeof EventsOfAProgram;
};
const { defineJob } = (await import(`${source}/jobs/define.ts`)) as { defineJob: typeof DefineJob };

const noteDelivery = openDeliveryBook(process.env['FAULT_BOOK'] ?? '.');
const { publish } = Events.prototype;
Events.prototype.publish = function publishAndNote(name, message) {
  if (name === 'delivery.received') noteDelivery((message as EventMessages['delivery.received']).jobs);
  publish.call(this, name, message);
};

const added = faultJobs(defineJob).map((definition): [string, JobDefinition] => [
  definition.type,
  definition,
]);
export const app: App = {
  ...shop,
  queueGates: new Map([...shop.queueGates, ['webhooks', { groups: { maxRunning: GROUP_PLACES } }]]),
  limits: new Map([
    ['whole', { concurrency: WHOLE_PLACES }],
    ['each', { concurrency: EACH_PLACES }],
  ]),
  definitions: new Map([...shop.definitions, ...added]),
  module: import.meta.url,
};
