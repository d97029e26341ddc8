// The shop, the application that is measured.
import { app } from '../../examples/shop/app.ts';

export { app };
export const queueNames: readonly string[] = [...app.queues.keys()];
