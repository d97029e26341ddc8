/**
 * The API program as it is started by itself: `node src/api/main.ts`, with the application that `WARREN_APP` names.
 */
import { programHelp } from '#shared/program/help.ts';
import { runWithoutArguments } from '#shared/program/shutdown.ts';
import { readAppModule } from '#shared/settings/config.ts';
import { runApi } from './program.ts';

await runWithoutArguments(programHelp('api'), () => runApi(readAppModule()));
