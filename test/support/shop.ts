// The shop, the application of most tests.
import { app } from '../../examples/shop/app.ts';

export { app };
export const { definitions } = app;
export const queueNames: readonly string[] = [...app.queues.keys()];
