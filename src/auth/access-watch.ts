import type { RunFinished } from '../agents/domain/agent.events';
import type { CloseReason } from '../live/live-events';
import type { EventLog } from '../event-log/event-log';
import type { Clock } from '../kernel/clock';
import type { Position, Recorded } from '../kernel/event';
import { orAborted } from '../kernel/pause';
import { ConsumerFault, explanation } from '../processing/consumer-fault';
import type { Processing } from '../processing/processing';
import type { ReadModels } from '../processing/read-models';
import { StoreUnusable } from '../store-unusable';
import { AccessTokens, isExpired, isTokenKey, tokenKey } from './access-tokens';
import type { AccessTokenEvent } from './domain/access-token.events';
import type { Principal } from './principal';
import { accessTokensProjection } from './projections/access-tokens.projection';
import { runKey } from './run-tokens';

const SWEEP_MS = 250;
/** Of so many runs it is remembered that they are over. */
const MAX_ENDED_RUNS = 10_000;

type Handled = AccessTokenEvent | RunFinished;

const HANDLED = [
  'AccessTokenCreated',
  'AccessTokenRevoked',
  'RunFinished',
] as const satisfies readonly Handled['type'][];

/** The connections that outlast a request. */
export interface OpenSessions {
  /** Ends those of a token. */
  end(key: string, reason: CloseReason): void;
  /** Whose they are. */
  principals(): Iterable<Principal>;
}

export interface AccessWatchDeps {
  log: Pick<EventLog, 'head'>;
  processing: Pick<Processing, 'feed' | 'reached'>;
  readModels: ReadModels;
  clock: Clock;
  sessions: OpenSessions;
  logger: { error(details: object, message: string): void };
}

/**
 * Keeps a node's knowledge of tokens up to date with the log, and ends what was opened with a token that is none any
 * more: revoked, expired, or of a run that is over.
 */
export class AccessWatch {
  private readonly stopped = new AbortController();
  private readonly endedRuns = new Set<string>();
  private sweeping: NodeJS.Timeout | undefined;
  private following: Promise<void> | undefined;

  /** Those that are good for something now. */
  readonly tokens: AccessTokens;

  constructor(private readonly deps: AccessWatchDeps) {
    this.tokens = new AccessTokens(deps.clock);
  }

  /**
   * Comes back when everything is known that was on the log when it began: no revoked token is let in.
   *
   * @throws StoreUnusable where what became of a token cannot be read, and the abort reason of `stop`
   */
  async start(stop: AbortSignal): Promise<void> {
    const { readModels, processing, log } = this.deps;
    // What comes behind it is told once more by the feed.
    const from = processing.reached(accessTokensProjection.name);
    for await (const token of readModels.all(accessTokensProjection, {
      where: {},
      orderBy: 'createdPosition',
    })) {
      this.tokens.add({ ...token, tokenId: token.id });
      if (token.revokedAt !== null) this.tokens.revoke(token.id);
    }
    const until = await log.head();
    const seen = new Promise<void>((resolve, reject) => {
      if (from >= until) resolve();
      this.following = this.follow(from, (reached) => reached >= until && resolve()).catch((err: Error) => {
        this.deps.logger.error({ err }, 'what other nodes do with tokens is no longer seen');
        reject(err instanceof ConsumerFault ? unreadableTokens(err) : err);
      });
    });
    await orAborted(seen, stop);
    this.sweeping = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeping);
    this.stopped.abort();
    await this.following;
  }

  /** Takes note of an event, before it is seen on the log or then. Repeating it changes nothing. */
  notice({ event }: Pick<Recorded, 'event'>): void {
    const told = event as Handled;
    // Data is looked at only where it is wanted: most events are others.
    switch (told.type) {
      case 'AccessTokenCreated':
        return this.tokens.add(told.data);
      case 'AccessTokenRevoked':
        this.tokens.revoke(told.data.tokenId);
        return this.deps.sessions.end(tokenKey(told.data.tokenId), 'token_revoked');
      case 'RunFinished':
        this.rememberEnded(told.data.runId);
        return this.deps.sessions.end(runKey(told.data.runId), 'token_revoked');
      default:
    }
  }

  /** Why nobody can stay that came in as this; null: they can. */
  endOf(principal: Principal): CloseReason | null {
    if (isTokenKey(principal.key) && !this.tokens.knows(principal)) return 'token_revoked';
    if (principal.runId !== null && this.endedRuns.has(principal.runId)) return 'token_revoked';
    return isExpired(principal, this.deps.clock.now()) ? 'token_expired' : null;
  }

  private async follow(after: Position, onReached: (position: Position) => void): Promise<void> {
    const { feed } = this.deps.processing;
    for await (const { events, reached } of feed.subscribe(after, this.stopped.signal, {
      handles: HANDLED,
    })) {
      for (const recorded of events) this.noticeOnLog(recorded);
      onReached(reached);
    }
  }

  /** @throws ConsumerFault where it cannot be read, and may concern a token: that one must not be let in by mistake */
  private noticeOnLog(recorded: Recorded): void {
    try {
      this.notice(recorded);
    } catch (cause) {
      const fault = new ConsumerFault('what is known of access tokens', recorded, cause);
      if (recorded.event.type !== 'RunFinished') throw fault;
      // The token of a run that is over is refused all the same: whether it runs is asked of its agent.
      this.deps.logger.error({ err: fault }, 'connections of a run may outlast it');
    }
  }

  /** What has come in while its token was on its way out, and what time has made of the others. */
  private sweep(): void {
    const { sessions } = this.deps;
    for (const principal of [...sessions.principals()]) {
      const reason = this.endOf(principal);
      if (reason) sessions.end(principal.key, reason);
    }
  }

  private rememberEnded(runId: string): void {
    this.endedRuns.add(runId);
    if (this.endedRuns.size <= MAX_ENDED_RUNS) return;
    const [oldest] = this.endedRuns;
    this.endedRuns.delete(oldest!);
  }
}

function unreadableTokens(fault: ConsumerFault): StoreUnusable {
  const then = 'a revoked token might be let in. Start the version of Reveille that has written the event';
  const or = 'or, where it was damaged (`reveille audit verify` tells), put the log back from a backup';
  return new StoreUnusable(`${explanation(fault)}: ${then}, ${or}`, { cause: fault });
}
