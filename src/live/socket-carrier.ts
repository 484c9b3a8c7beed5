import type { Socket } from 'socket.io';
import type { CloseReason } from './live-events';
import { LIVE_CLOSED } from './live-events';
import type { LiveMessage } from './live-message';
import type { Carrier } from './live-sink';
import { CLOSE_MS } from './live-sink';

/** Of the Socket.IO protocol, version 5. */
const EVENT_PACKET = '2';

/**
 * Carries messages over a socket. The packets are written by hand, because a message is the same text for all sockets,
 * and because the engine, other than `emit`, says when a text has left.
 */
export class SocketCarrier implements Carrier {
  /** @param stopping aborts when nobody can wait any longer for connections that are being closed */
  constructor(
    private readonly socket: Socket,
    private readonly stopping: AbortSignal,
  ) {}

  send({ type, json }: LiveMessage, taken: () => void): void {
    const packet = `${EVENT_PACKET}${this.socket.nsp.name},["${type}",${json}]`;
    this.socket.conn.send(packet, undefined, taken);
  }

  /** Closes without Socket.IO's own goodbye, after which a client would not connect again by itself. */
  close(reason: CloseReason, details: object = {}): void {
    const { conn } = this.socket;
    this.socket.emit(LIVE_CLOSED, { reason, ...details });
    const end = () => {
      clearTimeout(late);
      this.stopping.removeEventListener('abort', end);
      conn.close(true);
      // The engine would wait for the client to close its side as well.
      (conn.transport as { socket?: { terminate?: () => void } }).socket?.terminate?.();
    };
    const late = setTimeout(end, CLOSE_MS).unref();
    this.stopping.addEventListener('abort', end);
    conn.close();
  }
}
