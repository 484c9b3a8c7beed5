import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dropDatabases, MONGODB_MISSING, mongodbIsThere, startMongodb } from '../mongodb';
import { databasePrefix, world, WORLD_MONGODB_URL } from '../world';

/** Between the setup and the teardown of a run, which share nothing else. */
const kept = globalThis as { endReveilleWorld?: () => Promise<void> };

/** Starts the servers of the world that the tests run in, where they have not been given. */
export async function startWorld(): Promise<void> {
  // A run within a run is in the world of the outer one.
  if (world.documents !== 'mongodb' || process.env[WORLD_MONGODB_URL] !== undefined) return;
  if (!mongodbIsThere) throw new Error(`no tests on MongoDB: ${MONGODB_MISSING}`);
  const folder = mkdtempSync(join(tmpdir(), 'reveille-mongodb-'));
  const server = await startMongodb(folder);
  process.env[WORLD_MONGODB_URL] = server.url;
  if (server.scans) process.env['REVEILLE_TEST_SLOW_WRITES'] = 'true';
  kept.endReveilleWorld = async () => {
    if (!server.isOurs) await dropDatabases(server.url, databasePrefix());
    await server.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    delete process.env[WORLD_MONGODB_URL];
  };
}

export async function endWorld(): Promise<void> {
  await kept.endReveilleWorld?.();
}
