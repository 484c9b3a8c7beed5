import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { movedNote, openDocuments, openEventstoredb } from './backends';
import type { Config } from './config';
import { DataFolder } from './data-folder';
import { openEmbeddedLog, refuseDamagedStores, storesIn } from './embedded-stores';
import { readAgedOut, readMaxAges } from './event-log/embedded/max-ages';
import type { CopyProgress } from './event-log/log-copy';
import { CopyRefused, LogCopy } from './event-log/log-copy';
import type { LogMigrated } from './event-log/migration';
import { systemClock } from './kernel/clock';
import type { Position } from './kernel/event';
import { sagas } from './node';
import { hostsOf } from './connection-strings';
import { checkpointName } from './processing/saga-runner';
import { writeDurably } from './secrets/durable-file';
import { StoreUnusable } from './store-unusable';

/**
 * Copies the embedded event log of a data folder to EventStoreDB. Read models are not copied: the first server on the
 * new log makes them anew, wherever they are kept.
 *
 * @returns null where it had been done before
 * @throws DataFolderInUse, StoreUnusable, DomainError `log_unavailable`, the abort reason of `stop`
 */
export async function migrateLog(
  config: Config,
  logger: Logger,
  stop: AbortSignal,
  onProgress: (progress: CopyProgress) => void,
): Promise<LogMigrated | null> {
  if (!existsSync(join(config.dataDir, 'stores', 'log.db'))) {
    throw new StoreUnusable(`there is no embedded event log in ${config.dataDir}`);
  }
  const folder = DataFolder.open(config.dataDir);
  const closing: (() => Promise<void>)[] = [async () => folder.close()];
  try {
    refuseDamagedStores(folder, { ...config, eventLog: 'embedded' });
    const patience = { waitSec: config.storeWaitSec, stop, logger };
    const maxAges = readMaxAges(storesIn(folder));
    const agedOut = readAgedOut(storesIn(folder));
    const checkpoints = await sagaCheckpoints(config, folder, patience);
    const source = await openEmbeddedLog(folder, logger);
    closing.unshift(() => source.close());
    const target = await openEventstoredb(config, patience);
    closing.unshift(() => target.close());
    const { nodeId } = folder;
    const now = () => systemClock.now();
    const options = { source, target, nodeId, now, checkpoints, maxAges, agedOut, onProgress, stop };
    const migrated = await LogCopy.run(options).catch(forOperator);
    await noteMove(folder, config);
    return migrated;
  } finally {
    for (const close of closing) await close();
  }
}

/** What cannot be copied is as unusable as what cannot be opened. */
function forOperator(error: unknown): never {
  throw error instanceof CopyRefused ? new StoreUnusable(error.message, { cause: error }) : error;
}

/** What sagas have done is not done again, so they go on in the new log where they are in the old one. */
async function sagaCheckpoints(
  config: Config,
  folder: DataFolder,
  patience: Parameters<typeof openDocuments>[2],
): Promise<Map<string, Position>> {
  const documents = await openDocuments(config, folder, patience);
  try {
    const checkpoints = new Map<string, Position>();
    for (const name of sagas.map(checkpointName)) {
      const position = await documents.checkpoint(name);
      if (position !== null) checkpoints.set(name, position);
    }
    return checkpoints;
  } finally {
    await documents.close();
  }
}

async function noteMove(folder: DataFolder, { eventstoredbUrl, namespace }: Config): Promise<void> {
  const note = {
    to: 'eventstoredb',
    at: systemClock.now().toISOString(),
    hosts: hostsOf(eventstoredbUrl),
    namespace,
  };
  await writeDurably(movedNote(folder), `${JSON.stringify(note, null, 2)}\n`);
}
