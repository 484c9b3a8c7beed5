import type { Principal } from '../auth/principal';
import { sees } from '../auth/principal';
import type { EventLog } from '../event-log/event-log';
import { FollowInterrupted, PositionGone } from '../event-log/event-log';
import { liveLimits } from '../http/limits';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import type { Position, Recorded, StoredEvent } from '../kernel/event';
import { BEFORE_FIRST_POSITION } from '../kernel/event';
import type { Feed } from '../processing/feed';
import type { Cursor } from './cursor';
import { formatCursor, parseCursor, placeOf } from './cursor';
import { Follower } from './follower';
import { LiveChannel } from './live-channel';
import type { CloseReason } from './live-events';
import type { LiveMessage } from './live-message';
import type { LiveScope } from './live-scope';
import type { Carrier } from './live-sink';
import { LiveSink } from './live-sink';
import type { ReplayBatch } from './replay';
import { replay } from './replay';

/** So long the log is looked through for one page. */
const MAX_PAGE_MS = 1_000;
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** Finds what ids belong to. Each method @throws DomainError where there is no such thing */
export interface LiveDirectory {
  company(companyId: string): Promise<unknown>;
  agent(agentId: string): Promise<{ companyId: string; agentId: string }>;
  run(runId: string): Promise<{ companyId: string; agentId: string; runId: string }>;
}

/** The narrowest id counts, and the others must agree with it. */
export interface WantedScope {
  companyId?: string | undefined;
  agentId?: string | undefined;
  runId?: string | undefined;
  /** Default: only for a run. */
  logs?: boolean | undefined;
}

export interface LivePage {
  items: LiveMessage[];
  /** Where the next page begins; null: this is all there is now. */
  nextCursor: string | null;
  /** Everything up to here has been looked through: what comes later is asked for behind it. */
  position: string;
}

interface LiveDeps {
  log: EventLog;
  feed: Feed;
  directory: LiveDirectory;
  logger: { warn(details: object, message: string): void; error(details: object, message: string): void };
}

/** What happens, as it happens: for sockets, server-sent events and pages. */
export class LiveStreams {
  private readonly plain: LiveChannel<Recorded>;
  private readonly withLogs: LiveChannel<StoredEvent>;
  /** By the token that they were opened with. */
  private readonly sinks = new Map<string, { principal: Principal; sinks: Set<LiveSink> }>();
  private isStopped = false;

  constructor(private readonly deps: LiveDeps) {
    const { log, feed, logger } = deps;
    this.plain = LiveChannel.ofFeed(feed, log);
    this.withLogs = LiveChannel.withLogs(log, (error) =>
      logger.warn({ err: error }, 'following the log with what runs write was interrupted'),
    );
  }

  /** @throws DomainError where there is no such thing, for this client */
  async scopeOf(principal: Principal, wanted: WantedScope): Promise<LiveScope> {
    const [scope, missing] = await this.find(wanted);
    if (!sees(principal, scope.companyId)) throw new DomainError(missing);
    if (wanted.companyId !== undefined && wanted.companyId !== scope.companyId)
      throw new DomainError(missing);
    if (wanted.agentId !== undefined && wanted.agentId !== scope.agentId) throw new DomainError(missing);
    if (principal.agentId !== null && principal.agentId !== scope.agentId) throw new DomainError('forbidden');
    return { ...scope, logs: wanted.logs ?? scope.runId !== null };
  }

  /**
   * Where a follower begins.
   *
   * @param after a cursor; undefined: now
   * @throws DomainError `position_past_head`, `position_gone`
   */
  async begin(after: string | undefined): Promise<Cursor> {
    const head = await this.deps.log.head();
    if (after === undefined) return { position: head, part: null };
    const cursor = parseCursor(after);
    if (cursor.position > head) {
      throw new DomainError('position_past_head', undefined, { field: 'after', after, head: `${head}` });
    }
    if (cursor.position < head) await this.probe(cursor);
    return cursor;
  }

  /** Each socket and event stream costs memory, whoever opens it. @throws DomainError `too_many_streams` */
  refuseTooMany({ key, companyId, runId }: Principal): void {
    if (companyId === null) return;
    const limit = runId === null ? liveLimits.streamsPerToken : liveLimits.streamsPerRun;
    const open = this.sinks.get(key)?.sinks.size ?? 0;
    if (open >= limit) throw new DomainError('too_many_streams', undefined, { limit });
  }

  /** Carries messages to one client until either side ends it. */
  openSink(carrier: Carrier, principal: Principal): LiveSink {
    const sink = new LiveSink(carrier);
    if (this.isStopped) {
      sink.close('server_stopping');
      return sink;
    }
    const { key } = principal;
    const { sinks } = this.sinks.get(key) ?? { sinks: new Set() };
    this.sinks.set(key, { principal, sinks: sinks.add(sink) });
    sink.signal.addEventListener('abort', () => this.forget(key, sink), { once: true });
    return sink;
  }

  /** Ends what was opened with a token. */
  end(key: string, reason: CloseReason): void {
    for (const sink of [...(this.sinks.get(key)?.sinks ?? [])]) sink.close(reason);
  }

  /** Whose tokens something was opened with that still is open. */
  *principals(): Iterable<Principal> {
    for (const { principal } of this.sinks.values()) yield principal;
  }

  /** A follower that has not begun yet. @param others followers of the same client */
  follow(scope: LiveScope, after: Cursor, sink: LiveSink, others?: () => Iterable<Follower>): Follower {
    const { log, logger } = this.deps;
    const channel = scope.logs ? this.withLogs : this.plain;
    const onFault = (error: unknown) =>
      logger.error({ err: error, scope, after: formatCursor(after) }, 'a follower could not go on');
    return new Follower({ log, channel, sink, onFault }, scope, after, others);
  }

  /** The next messages after a cursor, of those that are there now. All of them: what runs wrote has no gaps here. */
  async page(scope: LiveScope, after: Cursor, limit: number): Promise<LivePage> {
    const endsAt = performance.now() + MAX_PAGE_MS;
    const head = await this.deps.log.head();
    const items: LiveMessage[] = [];
    let [bytes, position] = [0, head];
    for await (const { messages, reached } of this.batches(scope, after, head)) {
      for (const message of messages) {
        if (items.length >= limit || bytes >= MAX_PAGE_BYTES) return pageUpTo(items.at(-1)!.cursor, items);
        items.push(message);
        bytes += message.json.length;
      }
      // A follower may have come further than the last event that is ours, where a client could not go on from.
      position = reached < head ? reached : head;
      if (reached < head && performance.now() > endsAt) return pageUpTo({ position, part: null }, items);
    }
    return { items, nextCursor: null, position: `${position}` };
  }

  /** Tells all followers that the server is stopping, and ends them. */
  async stop(): Promise<void> {
    this.isStopped = true;
    for (const key of [...this.sinks.keys()]) this.end(key, 'server_stopping');
    await Promise.all([this.plain.stop(), this.withLogs.stop()]);
  }

  private forget(key: string, sink: LiveSink): void {
    const sinks = this.sinks.get(key)?.sinks;
    sinks?.delete(sink);
    if (sinks?.size === 0) this.sinks.delete(key);
  }

  private async *batches(scope: LiveScope, after: Cursor, until: Position): AsyncGenerator<ReplayBatch> {
    const { signal } = new AbortController();
    try {
      yield* replay(this.deps.log, scope, after, until, signal);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  private async find(wanted: WantedScope): Promise<[Omit<LiveScope, 'logs'>, ErrorCode]> {
    const { directory } = this.deps;
    if (wanted.runId !== undefined) return [await directory.run(wanted.runId), 'run_not_found'];
    if (wanted.agentId !== undefined) {
      return [{ ...(await directory.agent(wanted.agentId)), runId: null }, 'agent_not_found'];
    }
    const companyId = wanted.companyId!;
    await directory.company(companyId);
    return [{ companyId, agentId: null, runId: null }, 'company_not_found'];
  }

  /** Whether the log can still be followed from a cursor: it says so before it brings anything. */
  private async probe(cursor: Cursor): Promise<void> {
    const signal = new AbortController().signal;
    const categories = { only: ['company'] };
    try {
      for await (const _ of this.deps.log.follow({ ...placeOf(cursor), categories, signal })) return;
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

/** There is more behind it. */
function pageUpTo(cursor: Cursor, items: LiveMessage[]): LivePage {
  const nextCursor = formatCursor(cursor);
  return { items, nextCursor, position: nextCursor };
}

/** What a log that cannot be followed means to a client. */
function refusalOf(error: unknown): unknown {
  if (error instanceof PositionGone) {
    return new DomainError('position_gone', undefined, { head: `${error.head}` });
  }
  if (error instanceof FollowInterrupted) return new DomainError('log_unavailable', error.message);
  return error;
}

/** Before everything that ever happened. */
export const FROM_THE_BEGINNING = `${BEFORE_FIRST_POSITION}`;
