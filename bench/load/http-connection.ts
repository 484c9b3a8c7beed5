import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { once } from 'node:events';

export interface Reply {
  status: number;
  body: string;
}

const HEADERS_END = '\r\n\r\n';

/**
 * One HTTP/1.1 keep-alive connection that sends one request at a time. Node's own client costs as much per request as
 * the server that is measured, on the same two cores: this one takes a tenth of it, and knows only answers with a
 * `content-length`.
 */
export class HttpConnection {
  private received: Buffer = Buffer.alloc(0);
  private waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | null = null;

  static async open(url: string, token: string): Promise<HttpConnection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new HttpConnection(socket, `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`);
  }

  private constructor(
    private readonly socket: Socket,
    private readonly headers: string,
  ) {
    socket.on('data', (part: Buffer) => this.receive(part));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server has closed the connection')));
  }

  get(path: string): Promise<Reply> {
    return this.send(`GET ${path} HTTP/1.1\r\n${this.headers}\r\n`);
  }

  post(path: string, body: string): Promise<Reply> {
    const entity = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    return this.send(`POST ${path} HTTP/1.1\r\n${this.headers}${entity}`);
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }

  private send(request: string): Promise<Reply> {
    if (this.waiting) throw new Error('one request at a time');
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(request);
    });
  }

  private receive(part: Buffer): void {
    this.received = this.received.length === 0 ? part : Buffer.concat([this.received, part]);
    const headEnd = this.received.indexOf(HEADERS_END);
    if (headEnd < 0) return;
    const head = this.received.toString('latin1', 0, headEnd);
    const length = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) return this.fail(new Error(`an answer without content-length: ${head}`));
    const bodyStart = headEnd + HEADERS_END.length;
    if (this.received.length < bodyStart + length) return;
    const body = this.received.toString('utf8', bodyStart, bodyStart + length);
    this.received = this.received.subarray(bodyStart + length);
    const { waiting } = this;
    this.waiting = null;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }

  private fail(error: Error): void {
    this.waiting?.reject(error);
    this.waiting = null;
  }
}
