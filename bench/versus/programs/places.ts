// Where the servers are, as it travels to a program.
import type { Places } from '../contender.ts';

export function readPlaces({ VERSUS_PLACES: text }: NodeJS.ProcessEnv): Places {
  if (text === undefined) throw new Error('VERSUS_PLACES says where the servers are');
  return JSON.parse(text) as Places;
}

export function placesEnv(places: Places): Record<string, string> {
  return { VERSUS_PLACES: JSON.stringify(places) };
}
