/**
 * The worker program as it is started by itself: `node src/worker/main.ts`, with the application that `WARREN_APP` names.
 */
import { programHelp } from '#shared/program/help.ts';
import { runWithoutArguments } from '#shared/program/shutdown.ts';
import { readAppModule } from '#shared/settings/config.ts';
import { runWorker } from './program.ts';

await runWithoutArguments(programHelp('worker'), () => runWorker(readAppModule()));
