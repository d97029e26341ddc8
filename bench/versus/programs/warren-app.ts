// The application of the comparison, for Warren's programs as they are (WARREN_APP): the shop and the job type that is compared.
import { app as shop } from '../../../examples/shop/app.ts';
import type { App } from '../../../src/shared/job/app.ts';
import { QUEUE } from '../contender.ts';
import { createPerform } from './perform.ts';
import { defineVersusJob } from './versus-job.ts';

const definition = defineVersusJob(createPerform(process.env));
export const app: App = {
  ...shop,
  definitions: new Map([...shop.definitions, [QUEUE, definition]]),
  module: import.meta.url,
};
