import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/**
 * Stands between a client and its server on the loopback interface, and does to their connections what networks and
 * dying machines do. It knows nothing of what is said, so it works before a double as before a real server.
 */
export interface TcpProxy {
  readonly port: number;
  /** How many connections have been made through it. */
  readonly connectionCount: number;
  /** Nothing passes any more, and nobody is told: a machine that hangs. New connections are taken and hang, too. */
  freeze(): void;
  /** What came meanwhile passes now. */
  thaw(): void;
  /** What the client says arrives, and what it is answered does not. Answers that were held back are lost. */
  loseAnswers(): void;
  /** From now on, so many bytes of answers pass; then all connections are reset. */
  cutAfter(answerBytes: number): void;
  /** Everything takes so much longer, in each direction. */
  delay(ms: number): void;
  /** Cuts all connections off, as a process does that dies. What comes next passes. */
  reset(): void;
  /** Takes no connections and has none: the server is away. */
  refuse(): Promise<void>;
  /** After `refuse`: the server is back. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host?: string; port: number }): Promise<TcpProxy> {
  const proxy = new Proxy(target.host ?? '127.0.0.1', target.port);
  await proxy.accept();
  return proxy;
}

type Mode = 'pass' | 'freeze' | 'lose answers';

class Proxy implements TcpProxy {
  port = 0;
  connectionCount = 0;
  private mode: Mode = 'pass';
  private answerBytesLeft = Infinity;
  private delayMs = 0;
  private server = createServer();
  private readonly links = new Set<Link>();

  constructor(
    private readonly host: string,
    private readonly targetPort: number,
  ) {}

  freeze(): void {
    this.setMode('freeze');
  }

  thaw(): void {
    this.setMode('pass');
  }

  loseAnswers(): void {
    this.setMode('lose answers');
  }

  cutAfter(answerBytes: number): void {
    this.answerBytesLeft = answerBytes;
  }

  delay(ms: number): void {
    this.delayMs = ms;
  }

  reset(): void {
    this.answerBytesLeft = Infinity;
    for (const link of this.links) link.reset();
    this.setMode('pass');
  }

  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.reset();
    await closed;
  }

  async accept(): Promise<void> {
    this.server = createServer((client) => this.link(client));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.refuse();
  }

  private setMode(mode: Mode): void {
    this.mode = mode;
    for (const link of this.links) link.setFrozen(mode === 'freeze');
  }

  private link(client: Socket): void {
    this.connectionCount += 1;
    const link = new Link(client, connect(this.targetPort, this.host), {
      request: (bytes) => this.later(() => link.send(bytes)),
      answer: (bytes) => this.answer(link, bytes),
      end: () => this.links.delete(link),
    });
    this.links.add(link);
    link.setFrozen(this.mode === 'freeze');
  }

  private answer(link: Link, bytes: Buffer): void {
    if (this.mode === 'lose answers') return;
    const passing = bytes.subarray(0, this.answerBytesLeft);
    this.answerBytesLeft -= passing.length;
    this.later(() => link.answer(passing));
    if (this.answerBytesLeft <= 0) this.later(() => this.reset());
  }

  private later(act: () => void): void {
    if (this.delayMs > 0) setTimeout(act, this.delayMs);
    else act();
  }
}

/** One connection and what it leads to. */
class Link {
  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    on: { request: (bytes: Buffer) => void; answer: (bytes: Buffer) => void; end: () => void },
  ) {
    client.on('data', on.request);
    server.on('data', on.answer);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        on.end();
        client.destroy();
        server.destroy();
      });
    }
  }

  send(bytes: Buffer): void {
    if (!this.server.destroyed) this.server.write(bytes);
  }

  answer(bytes: Buffer): void {
    if (!this.client.destroyed) this.client.write(bytes);
  }

  setFrozen(isFrozen: boolean): void {
    for (const socket of [this.client, this.server]) {
      if (isFrozen) socket.pause();
      else socket.resume();
    }
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }
}
