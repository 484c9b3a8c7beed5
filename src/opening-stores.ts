import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { hostsOf, withoutSecrets } from './connection-strings';
import { DocumentsUnavailable } from './documents/document-store';
import { LogUnavailable } from './event-log/event-log';
import { StoreUnusable } from './store-unusable';

/** A server that keeps one of the stores. */
export interface StoreServer {
  /** As its users call it. */
  name: string;
  /** The setting that says where it is. */
  setting: string;
  url: string;
}

export interface Patience {
  waitSec: number;
  stop: AbortSignal;
  logger: Logger;
}

const PAUSE_MS = 2_000;

/**
 * Opens a store on a server that may come up later than we do: containers start in any order. Says every few seconds
 * what it waits for.
 *
 * @throws StoreUnusable where the server does not answer in time, or does not let us in; the abort reason of `stop`
 */
export async function openReachable<Store>(
  server: StoreServer,
  open: () => Promise<Store>,
  { waitSec, stop, logger }: Patience,
): Promise<Store> {
  const giveUpAt = Date.now() + waitSec * 1_000;
  const where = `${server.name} at ${hostsOf(server.url)} (${server.setting})`;
  for (;;) {
    stop.throwIfAborted();
    try {
      return await open();
    } catch (error) {
      const reason = withoutSecrets(reasonOf(error), server.url);
      if (!isAway(error)) throw new StoreUnusable(`${where} cannot be used: ${reason}`);
      if (Date.now() + PAUSE_MS > giveUpAt) {
        throw new StoreUnusable(`${where} has not answered within ${waitSec} s: ${reason}`);
      }
      logger.warn(`waiting for ${where}: ${reason}`);
    }
    await sleep(PAUSE_MS, undefined, { signal: stop });
  }
}

function isAway(error: unknown): boolean {
  return error instanceof LogUnavailable || error instanceof DocumentsUnavailable;
}

/** What lies at the bottom of it, in one line. */
function reasonOf(error: unknown): string {
  let deepest = error as Error;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  return (deepest.message || deepest.name).split('\n')[0]!;
}
