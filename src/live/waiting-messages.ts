import type { LiveMessage } from './live-message';
import { Gaps, logKey, logPieceOf, MAX_LOG_LAG_BYTES } from './log-lag';

const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What a message takes beside its text. */
const FRAME_BYTES = 200;

/** Messages that a follower's client has not taken yet, within bounds: of output only the newest 4 MiB of each log. */
export class WaitingMessages {
  private messages: LiveMessage[] = [];
  private bytes = 0;
  /** By log, in bytes that the agent wrote. */
  private readonly logBytes = new Map<string, number>();
  private overflown = false;

  get isEmpty(): boolean {
    return this.messages.length === 0;
  }

  /** There was too much: messages are missing at the end. */
  get isOverflown(): boolean {
    return this.overflown;
  }

  push(message: LiveMessage): void {
    if (this.overflown) return;
    this.add(message);
    const piece = logPieceOf(message);
    if (piece) this.limitLog(logKey(piece));
    this.overflown = this.bytes > MAX_WAITING_BYTES;
  }

  shift(): LiveMessage | undefined {
    const message = this.messages.shift();
    if (message) this.count(message, -1);
    return message;
  }

  clear(): void {
    this.messages = [];
    this.bytes = 0;
    this.logBytes.clear();
    this.overflown = false;
  }

  /** Where too much of a log waits, gaps take the place of all of it. */
  private limitLog(key: string): void {
    if (this.logBytes.get(key)! <= MAX_LOG_LAG_BYTES) return;
    const before = this.messages;
    this.clear();
    const gaps = new Gaps();
    for (const message of before) {
      const piece = logPieceOf(message);
      if (piece && logKey(piece) === key) gaps.leaveOut(message, piece);
      else for (const next of [...gaps.release(), message]) this.add(next);
    }
    for (const gap of gaps.release()) this.add(gap);
  }

  private add(message: LiveMessage): void {
    this.messages.push(message);
    this.count(message, 1);
  }

  private count(message: LiveMessage, sign: 1 | -1): void {
    this.bytes += sign * (message.json.length + FRAME_BYTES);
    const { event } = message;
    if (event.type !== 'heartbeat.run.log') return;
    const key = logKey(event.payload);
    const left = (this.logBytes.get(key) ?? 0) + sign * (event.payload.to - event.payload.from);
    if (left > 0) this.logBytes.set(key, left);
    else this.logBytes.delete(key);
  }
}
