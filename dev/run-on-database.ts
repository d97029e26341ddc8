// The frame of a command on DATABASE_URL, or DATABASE_DIRECT_URL where there is one: a migration's lock lasts as long as its session. Prints one line about what it did, or one about why it could not, with exit code 1.
import { readEnvironment } from './environment.ts';

export async function runOnDatabase(work: (databaseUrl: string) => Promise<string>): Promise<void> {
  try {
    const { databaseUrl: pooledUrl, inherited } = readEnvironment();
    const databaseUrl = inherited['DATABASE_DIRECT_URL'] ?? pooledUrl;
    if (databaseUrl === undefined) throw new Error('DATABASE_URL is not set (`npm run services` prints one)');
    console.log(await work(databaseUrl));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
