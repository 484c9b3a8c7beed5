import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from './config';
import type { DataFolder } from './data-folder';
import type { DocumentStore } from './documents/document-store';
import {
  documentsWithin,
  openEmbeddedDocuments,
  openEmbeddedLog,
  refuseDamagedStores,
  storesIn,
} from './embedded-stores';
import { EmbeddedEventLog } from './event-log/embedded/embedded-event-log';
import { EmbeddedLogUpkeep } from './event-log/embedded/embedded-log-upkeep';
import type { LogUpkeep } from './event-log/log-upkeep';
import type { EventLog } from './event-log/event-log';
import { sinceMigration } from './event-log/migrated-event-log';
import { MigrationUnfinished } from './event-log/migration';
import type { Clock } from './kernel/clock';
import { systemClock } from './kernel/clock';
import type { Patience } from './opening-stores';
import { openReachable } from './opening-stores';
import { StoreUnusable } from './store-unusable';

/** Where a server keeps what it knows. */
export interface Backends {
  log: EventLog;
  documents: DocumentStore;
  /** Removes what has aged out, where the log doesn't do that itself. */
  upkeep?: LogUpkeep | null;
}

/**
 * Opens the stores that the configuration chooses.
 *
 * @param stop breaks off the waiting for a server that is not there yet
 * @param clock what ages are measured with, where the log is ours
 * @throws StoreUnusable, and the abort reason of `stop`
 */
export async function openBackends(
  config: Config,
  folder: DataFolder,
  logger: Logger,
  stop: AbortSignal,
  clock: Clock = systemClock,
): Promise<Backends> {
  const patience = { waitSec: config.storeWaitSec, stop, logger };
  refuseDamagedStores(folder, config);
  const log = await openEventLog(config, folder, patience, clock);
  try {
    const documents = await openDocuments(config, folder, patience);
    if (!(log instanceof EmbeddedEventLog)) return { log, documents, upkeep: null };
    return {
      log,
      documents: await documentsWithin(log, documents, folder, logger),
      upkeep: new EmbeddedLogUpkeep(log, storesIn(folder), logger),
    };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** Drivers are loaded only where they are chosen: they cost a third of the start. */
async function openEventLog(
  config: Config,
  folder: DataFolder,
  patience: Patience,
  clock: Clock,
): Promise<EventLog> {
  if (config.eventLog === 'embedded') {
    const note = movedNote(folder);
    if (!existsSync(note)) return openEmbeddedLog(folder, patience.logger, clock);
    const hint = `serve with --event-log eventstoredb, or remove ${note} to go back to the state of then`;
    throw new StoreUnusable(`the event log of this data folder has moved to EventStoreDB: ${hint}`);
  }
  const log = await openEventstoredb(config, patience);
  try {
    return await sinceMigration(log);
  } catch (error) {
    await log.close();
    if (!(error instanceof MigrationUnfinished)) throw error;
    throw new StoreUnusable(`${error.message}: run \`reveille migrate\` again`);
  }
}

/** Made when the log has moved, so that nobody goes on with the old one by mistake. */
export function movedNote(folder: DataFolder): string {
  return join(folder.path, 'log-moved.json');
}

export async function openEventstoredb(
  { eventstoredbUrl: url, namespace }: Config,
  patience: Patience,
): Promise<EventLog> {
  const { EventstoredbEventLog } = await import('./event-log/eventstoredb/eventstoredb-event-log.js');
  const server = { name: 'EventStoreDB', setting: 'EVENTSTOREDB_URL', url };
  return openReachable(server, () => EventstoredbEventLog.open(url, namespace), patience);
}

export async function openDocuments(
  { documents, mongodbUrl: url }: Config,
  folder: DataFolder,
  patience: Patience,
): Promise<DocumentStore> {
  if (documents === 'embedded') return openEmbeddedDocuments(folder, patience.logger);
  const { MongodbDocumentStore } = await import('./documents/mongodb/mongodb-document-store.js');
  const server = { name: 'MongoDB', setting: 'MONGODB_URL', url };
  return openReachable(server, () => MongodbDocumentStore.open(url), patience);
}
