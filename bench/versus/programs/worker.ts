// The worker program of a contender: `node programs/worker.ts <contender>`. Warren has its own.
// VERSUS_PLACES says where the servers are (JSON), VERSUS_CONCURRENCY how many handlers run at once.
import { findContender } from '../contenders.ts';
import { createPerform } from './perform.ts';
import { readPlaces } from './places.ts';

const contender = await findContender(process.argv[2]);
await contender.work(readPlaces(process.env), {
  concurrency: Number(process.env['VERSUS_CONCURRENCY']),
  perform: createPerform(process.env),
});
