import { canonicalJson, sha256Hex } from '../kernel/canonical-json';
import { DomainError } from '../kernel/errors';
import type { RunEvent } from '../runs/domain/run.events';
import type { RunEventPlace } from './run-event-writer';
import type { ReportedEvent } from './reported-event';

/** Reports that are taken of one run, beside those in its events file. */
export const MAX_REPORTS = 10_000;

/** In the payload of a report: what it says, and the key under which it was sent, both as hashes. */
const REPORT_HASH = 'reportHash';
const REPORT_KEY = 'reportKey';

/** What was reported of a run so far. */
export interface ReportHistory {
  count: number;
  /** By key. */
  keys: Map<string, RunEventPlace & { hash: string }>;
}

export const noReports = (): ReportHistory => ({ count: 0, keys: new Map() });

/** Takes an event that is on the log into account. */
export function noteReport(history: ReportHistory, { data }: RunEvent, place: RunEventPlace): void {
  const { [REPORT_HASH]: hash, [REPORT_KEY]: key } = data.payload ?? {};
  if (typeof hash !== 'string') return;
  history.count++;
  if (typeof key === 'string') history.keys.set(key, { ...place, hash });
}

/**
 * What comes by way of the API while a run is going on: on the log when it is answered, and with a key once, also where
 * a server takes the run up in between. One after the other, so that two of one key do not pass each other.
 */
export class RunReports {
  private queue: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  /** @param history is asked each time: it is another one once a run was taken up */
  constructor(
    private readonly history: () => ReportHistory,
    private readonly book: (report: ReportedEvent) => Promise<RunEventPlace>,
  ) {}

  /** @throws DomainError `run_not_open`, `idempotency_key_reused`, `too_many_reports` */
  take(report: ReportedEvent, key: string | null): Promise<RunEventPlace> {
    if (this.isClosed) throw new DomainError('run_not_open', undefined, { because: 'over' });
    const taken = this.queue.then(() => this.takeNow(report, key));
    this.queue = taken.catch(() => undefined);
    return taken;
  }

  /** Nothing is taken any more; comes back when all that was taken is on the log. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.queue;
  }

  private async takeNow(report: ReportedEvent, key: string | null): Promise<RunEventPlace> {
    const history = this.history();
    const [hash, keyHash] = [shortHash(canonicalJson(report)), key === null ? null : shortHash(key)];
    const known = keyHash === null ? undefined : history.keys.get(keyHash);
    if (known && known.hash !== hash)
      throw new DomainError('idempotency_key_reused', undefined, { seq: known.seq });
    if (known) return known;
    if (history.count >= MAX_REPORTS) {
      throw new DomainError('too_many_reports', undefined, { limit: MAX_REPORTS });
    }
    const marks = { [REPORT_HASH]: hash, ...(keyHash !== null && { [REPORT_KEY]: keyHash }) };
    const place = await this.book({ ...report, payload: { ...report.payload, ...marks } });
    history.count++;
    if (keyHash !== null) history.keys.set(keyHash, { ...place, hash });
    return place;
  }
}

function shortHash(text: string): string {
  return sha256Hex(text).slice(0, 32);
}
