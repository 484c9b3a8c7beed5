import type { FollowBatch } from '../event-log';
import { LruMap } from '../../kernel/lru-map';
import type { LogFilter } from './store-messages';

/** A page is about 1 MiB at most, mostly a third of that. */
const MAX_PAGES = 8;
const KEPT_MS = 500;

/**
 * Pages of the log that were read a moment ago: followers that begin at the same place, as all read models do when they
 * are rebuilt, read them once instead of once each. What a page holds never changes, only what comes behind it.
 */
export class RecentPages {
  private readonly pages = new LruMap<string, FollowBatch>(MAX_PAGES);
  private forgetting: NodeJS.Timeout | undefined;

  get(after: number, filter: LogFilter, read: () => FollowBatch): FollowBatch {
    const key = `${after} ${JSON.stringify(filter)}`;
    const known = this.pages.get(key);
    if (known) return known;
    const page = read();
    this.pages.set(key, page);
    this.forgetting ??= setTimeout(() => {
      this.forgetting = undefined;
      this.pages.clear();
    }, KEPT_MS).unref();
    return page;
  }

  clear(): void {
    clearTimeout(this.forgetting);
    this.forgetting = undefined;
    this.pages.clear();
  }
}
