import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { CloseReason } from './live-events';
import { LIVE_CLOSED } from './live-events';
import type { LiveMessage } from './live-message';
import { formatCursor } from './cursor';
import type { Carrier } from './live-sink';
import { CLOSE_MS } from './live-sink';

const KEEP_ALIVE_MS = 15_000;
/** Tells a browser how long to wait before it connects again, and proxies that the stream has begun. */
const PREAMBLE = 'retry: 1000\n\n: connected\n\n';

/** Carries messages as server-sent events. */
export class EventStream extends Readable implements Carrier {
  private readonly waiting: { text: string; taken: () => void }[] = [];
  private isRead = false;
  private readonly keepAlive = setInterval(() => this.send(': keep-alive\n\n'), KEEP_ALIVE_MS);

  constructor() {
    super({ highWaterMark: 64 * 1024 });
    this.keepAlive.unref();
    this.push(PREAMBLE);
  }

  send(message: LiveMessage | string, taken: () => void = () => undefined): void {
    this.waiting.push({ text: typeof message === 'string' ? message : asEvent(message), taken });
    if (this.isRead) this._read();
  }

  close(reason: CloseReason, details: object = {}): void {
    clearInterval(this.keepAlive);
    // What a client that takes nothing has not taken by now is dropped.
    this.waiting.length = 0;
    this.push(`event: ${LIVE_CLOSED}\ndata: ${JSON.stringify({ reason, ...details })}\n\n`);
    this.push(null);
  }

  override _read(): void {
    this.isRead = true;
    while (this.isRead && this.waiting.length > 0) {
      const { text, taken } = this.waiting.shift()!;
      this.isRead = this.push(text);
      taken();
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.keepAlive);
    done(error);
  }
}

/**
 * Ends a stream with the answer that carries it, also one without a body (HEAD), and that answer soon after the stream:
 * a client that takes nothing any more would keep its connection for ever.
 */
export function endTogether(stream: EventStream, answer: ServerResponse, ended: AbortSignal): void {
  let late: NodeJS.Timeout | undefined;
  const endSoon = () => {
    late = setTimeout(() => answer.destroy(), CLOSE_MS).unref();
  };
  ended.addEventListener('abort', endSoon);
  answer.once('close', () => {
    ended.removeEventListener('abort', endSoon);
    clearTimeout(late);
    stream.destroy();
  });
}

function asEvent({ cursor, type, json }: LiveMessage): string {
  return `id: ${formatCursor(cursor)}\nevent: ${type}\ndata: ${json}\n\n`;
}
