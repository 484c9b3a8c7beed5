import type { EventLog } from '../event-log/event-log';
import { FollowInterrupted, LogClosed, LogUnavailable, PositionGone } from '../event-log/event-log';
import type { Position } from '../kernel/event';
import { pause } from '../kernel/pause';
import type { Cursor } from './cursor';
import { isAfter } from './cursor';
import type { Listener, LiveChannel } from './live-channel';
import type { LiveMessage } from './live-message';
import type { LiveScope } from './live-scope';
import { concerns } from './live-scope';
import type { LiveSink } from './live-sink';
import { LogLag } from './log-lag';
import { replay } from './replay';
import { WaitingMessages } from './waiting-messages';

const RETRY_MS = 500;

export interface FollowerDeps {
  log: EventLog;
  channel: Pick<LiveChannel, 'attach' | 'detach'>;
  sink: LiveSink;
  onFault: (error: unknown) => void;
}

/**
 * Tells one client everything that concerns a scope, from a cursor on: each message once, in order, without a gap.
 *
 * It attaches to the channel first, where what happens from then on waits; reads what lies between from the log, at the
 * client's pace; then tells what waits, and goes on live.
 */
export class Follower implements Listener {
  private readonly waiting = new WaitingMessages();
  private readonly lag: LogLag;
  private readonly ended: AbortSignal;
  private readonly stopped = new AbortController();
  private isLive = false;
  private isFlushing = false;
  /** Everything up to here has been told. */
  private told: Cursor;

  constructor(
    private readonly deps: FollowerDeps,
    readonly scope: LiveScope,
    private readonly after: Cursor,
    /** Of the same client. What one of them tells need not be told again. */
    private readonly others: () => Iterable<Follower> = () => [],
  ) {
    this.told = after;
    this.lag = new LogLag(deps.log, scope.companyId);
    this.ended = AbortSignal.any([deps.sink.signal, this.stopped.signal]);
  }

  /** Begins to tell. */
  start(): void {
    if (this.ended.aborted) return;
    this.ended.addEventListener('abort', () => this.deps.channel.detach(this), { once: true });
    void this.run();
  }

  stop(): void {
    this.stopped.abort();
  }

  offer(message: LiveMessage): void {
    if (this.ended.aborted || !isAfter(message.cursor, this.told)) return;
    if (this.isLive && this.waiting.isEmpty && this.deps.sink.hasRoom) return this.tell(message);
    this.waiting.push(message);
    if (!this.isLive) return;
    if (this.waiting.isOverflown) this.deps.sink.close('slow_client');
    else void this.flush();
  }

  cutOff(): void {
    this.deps.sink.close('internal');
  }

  /** Whether this follower has told the message. */
  hasTold(message: LiveMessage): boolean {
    return (
      concerns(this.scope, message) &&
      (this.scope.logs || !isOutput(message)) &&
      isAfter(message.cursor, this.after) &&
      !isAfter(message.cursor, this.told)
    );
  }

  private async run(): Promise<void> {
    while (!this.ended.aborted) {
      try {
        await this.catchUp();
        return;
      } catch (error) {
        this.deps.channel.detach(this);
        if (this.ended.aborted) return;
        if (!isTemporary(error)) return this.fail(error);
        await pause(RETRY_MS, this.ended);
      }
    }
  }

  private async catchUp(): Promise<void> {
    const { channel } = this.deps;
    do {
      channel.detach(this);
      this.waiting.clear();
      await this.readUntil(await channel.attach(this));
      // What has come meanwhile was too much to keep, but it is on the log.
    } while (this.waiting.isOverflown && !this.ended.aborted);
    this.isLive = true;
    await this.flush();
  }

  private async readUntil(until: Position): Promise<void> {
    const { log } = this.deps;
    for await (const { messages, reached } of replay(log, this.scope, this.told, until, this.ended)) {
      for (const message of messages) await this.tellAll(await this.lag.pass(message));
      if (this.ended.aborted) return;
      // What is left out has not been told of yet.
      if (!this.lag.isHolding) this.told = { position: reached, part: null };
    }
    await this.tellAll(this.lag.release());
  }

  private async tellAll(messages: readonly LiveMessage[]): Promise<void> {
    for (const message of messages) {
      await this.deps.sink.room();
      if (this.ended.aborted) return;
      this.tell(message);
    }
  }

  private async flush(): Promise<void> {
    if (this.isFlushing) return;
    this.isFlushing = true;
    while (!this.waiting.isEmpty && !this.ended.aborted) {
      const message = this.deps.sink.hasRoom ? this.waiting.shift()! : null;
      if (message === null) await this.deps.sink.room();
      else if (isAfter(message.cursor, this.told)) this.tell(message);
    }
    this.isFlushing = false;
  }

  private tell(message: LiveMessage): void {
    this.told = message.cursor;
    for (const other of this.others()) if (other !== this && other.hasTold(message)) return;
    this.deps.sink.write(message);
  }

  private fail(error: unknown): void {
    const { sink, onFault } = this.deps;
    if (error instanceof PositionGone) return sink.close('position_gone', { head: `${error.head}` });
    onFault(error);
    sink.close('internal');
  }
}

/** Only those who want logs are told. */
function isOutput({ type }: LiveMessage): boolean {
  return type === 'heartbeat.run.log' || type === 'log.gap' || type === 'log.finalized';
}

function isTemporary(error: unknown): boolean {
  if (error instanceof FollowInterrupted) return error.resumable;
  return error instanceof LogUnavailable && !(error instanceof LogClosed);
}
