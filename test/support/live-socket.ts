import type { ManagerOptions, Socket, SocketOptions } from 'socket.io-client';
import { io } from 'socket.io-client';
import type { SentMessage } from './live-client';
import type { TestServer } from './server';

const open = new Set<Socket>();

/** A real Socket.IO client, and what it has been told. */
export interface LiveSocket {
  socket: Socket;
  messages: SentMessage[];
  /** What the last `live.closed` said. */
  closed: { reason: string } | null;
  /** Asks, and answers what the server acknowledges. */
  ask(event: string, request: unknown): Promise<Record<string, unknown>>;
}

/** Connects, with the admin token where nothing else is said. @throws what the handshake is refused with */
export async function connectLive(
  server: Pick<TestServer, 'url' | 'token'>,
  options: Partial<ManagerOptions & SocketOptions> = {},
  namespace = '/live',
): Promise<LiveSocket> {
  const { token } = server;
  const socket = io(`${server.url}${namespace}`, {
    auth: { token },
    forceNew: true,
    reconnection: false,
    ...options,
  });
  open.add(socket);
  const live: LiveSocket = {
    socket,
    messages: [],
    closed: null,
    ask: (event, request) => new Promise((resolve) => socket.emit(event, request, resolve)),
  };
  socket.onAny((type: string, message: SentMessage) => {
    if (type !== 'live.closed') live.messages.push(message);
    else live.closed = message as unknown as { reason: string };
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return live;
}

export function closeLiveSockets(): void {
  for (const socket of open) socket.close();
  open.clear();
}

interface Transport {
  ws: { _socket: { pause(): void; resume(): void } };
}

/** The client takes nothing any more: what the server sends stays in the network's buffers, and then with the server. */
export function stopTaking({ socket }: LiveSocket): void {
  (socket.io.engine.transport as unknown as Transport).ws._socket.pause();
}

export function takeAgain({ socket }: LiveSocket): void {
  (socket.io.engine.transport as unknown as Transport).ws._socket.resume();
}
