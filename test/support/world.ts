import { createHash } from 'node:crypto';
import { resolve } from 'node:path';

/**
 * Which stores the servers under test use, as `npm test -- --event-log=… --documents=…` says. The global setup starts a
 * MongoDB server where none was given; EventStoreDB has to be given by EVENTSTOREDB_URL.
 */
export const world = {
  eventLog: process.env['REVEILLE_TEST_EVENT_LOG'] ?? 'embedded',
  documents: process.env['REVEILLE_TEST_DOCUMENTS'] ?? 'embedded',
};

/** What the global setup names its MongoDB server by: tests that want one of their own must not take this one. */
export const WORLD_MONGODB_URL = 'REVEILLE_TEST_MONGODB_URL';

/**
 * Of MongoDB's protocol the server that stands in for a real one looks up single ids only, and scans a collection for
 * each write that has a guard: for `testWhen`, where thousands of those are made. The global setup says so.
 */
export const writesAreQuick = process.env['REVEILLE_TEST_SLOW_WRITES'] === undefined;
/** So long a test waits, at most, for what has to come: milliseconds. */
export const PATIENCE_MS = writesAreQuick ? 10_000 : 40_000;
export const WRITES_ARE_SLOW = 'the server scans for each guarded write';

/** For tests that reach into the files of the embedded stores. */
export const logIsEmbedded = world.eventLog === 'embedded';
export const allIsEmbedded = logIsEmbedded && world.documents === 'embedded';
export const NOT_EMBEDDED = 'the stores are not embedded';

/** The names of all databases of this run begin so; of a server that was given they are removed at its end. */
export function databasePrefix(): string {
  return `${required('REVEILLE_TEST_RUN')}-`;
}

/**
 * The settings that put a server of this data folder into the world, by their environment names. The same folder finds
 * the same data again; another folder has a database and a namespace of its own.
 */
export function worldSettings(dataDir: string): Record<string, string> {
  const name = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 16);
  const settings: Record<string, string> = {};
  if (world.eventLog === 'eventstoredb') {
    settings['REVEILLE_EVENT_LOG'] = 'eventstoredb';
    settings['EVENTSTOREDB_URL'] = required('EVENTSTOREDB_URL');
    settings['REVEILLE_NAMESPACE'] = `test-${name}`;
  }
  if (world.documents === 'mongodb') {
    settings['REVEILLE_DOCUMENTS'] = 'mongodb';
    settings['MONGODB_URL'] = databaseUrl(required(WORLD_MONGODB_URL), `${databasePrefix()}${name}`);
  }
  return settings;
}

/** @param url of a server, with or without a database and options */
export function databaseUrl(url: string, database: string): string {
  const [, server, options = ''] = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(url) ?? [];
  if (server === undefined) throw new Error('MONGODB_URL is no connection string of MongoDB');
  return `${server}/${database}${options}`;
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} has to say where the server of this world is`);
  return value;
}
