import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Namespace, Server, ServerOptions } from 'socket.io';
import type { Gate } from '../auth/gate';
import { liveLimits } from '../http/limits';

/** So long a connection that is ended waits for its client to come and hear of it. */
const LINGER_MS = 1_000;

/** Socket.IO on the server's own port: closed to web pages of others, and to everything but the namespaces there are. */
export class LiveSocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly gate: Gate,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Partial<ServerOptions>): Server {
    const server = super.createIOServer(port, {
      ...options,
      serveClient: false,
      maxHttpBufferSize: liveLimits.messageBytes,
      connectTimeout: liveLimits.connectMs,
      allowRequest: (
        { headers }: IncomingMessage,
        answer: (error: string | null, isFine: boolean) => void,
      ) => {
        try {
          this.gate.checkOrigin(headers);
          answer(null, true);
        } catch (error) {
          answer((error as Error).message, false);
        }
      },
    } as ServerOptions);
    server.engine.on('connection', ({ transport }: { transport: { closeTimeout?: number } }) => {
      // Of a client that has stopped asking, by long polling, it is 30 s by default, for which a server could not stop.
      if ('closeTimeout' in transport) transport.closeTimeout = LINGER_MS;
    });
    server.use((_socket, next) => next(new Error('the namespace is /live')));
    return server;
  }

  /**
   * Ends the connections. The HTTP server is not closed here, as Socket.IO would, and wait for clients that ask again
   * and again: whoever opened it closes it.
   */
  override async close(server: Server | Namespace): Promise<void> {
    if ('engine' in server) server.engine.close();
  }
}
