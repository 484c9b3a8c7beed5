import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { once } from 'node:events';

/** What came back; null: the connection was closed without a word. */
export interface WireAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  ms: number;
}

/** Nothing had come back by then. */
export class NoAnswer extends Error {}

const EVENT_STREAM = 'text/event-stream';

/** HTTP/1.1 as bytes, over connections that are kept while they are in order. */
export class Wire {
  private readonly idle: Socket[] = [];

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {}

  /**
   * Of an event stream only the head is waited for.
   *
   * @param isLast nothing can follow on the connection; says so to the server by closing this side of it
   * @throws NoAnswer
   */
  async exchange(
    bytes: Buffer,
    { isLast, isHead, deadlineMs }: { isLast: boolean; isHead: boolean; deadlineMs: number },
  ): Promise<WireAnswer | null> {
    const kept = isLast ? undefined : this.idle.pop();
    const socket = kept ?? (await this.open());
    const answer = await this.ask(socket, bytes, { isLast, isHead, deadlineMs });
    // The server may have closed it before it saw this request.
    if (answer === null && kept) return this.exchange(bytes, { isLast, isHead, deadlineMs });
    const isOver = answer === null || isLast || !mayFollow(answer);
    if (isOver) socket.destroy();
    else this.idle.push(socket);
    return answer;
  }

  close(): void {
    for (const socket of this.idle.splice(0)) socket.destroy();
  }

  private async open(): Promise<Socket> {
    const socket = connect({ host: this.host, port: this.port, noDelay: true });
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    return socket;
  }

  private ask(
    socket: Socket,
    bytes: Buffer,
    { isLast, isHead, deadlineMs }: { isLast: boolean; isHead: boolean; deadlineMs: number },
  ): Promise<WireAnswer | null> {
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      let received = Buffer.alloc(0);
      const settle = (settled: () => void) => {
        clearTimeout(timer);
        socket.off('data', onData).off('close', onClose);
        settled();
      };
      const timer = setTimeout(() => {
        socket.destroy();
        settle(() => reject(new NoAnswer(`no answer within ${deadlineMs} ms`)));
      }, deadlineMs);
      const look = (isClosed: boolean) => {
        const whole = wholeAnswer(received, isHead, isClosed);
        if (whole === null && !isClosed) return;
        settle(() => resolve(whole && { ...whole, ms: performance.now() - startedAt }));
      };
      const onData = (part: Buffer) => {
        received = Buffer.concat([received, part]);
        look(false);
      };
      const onClose = () => look(true);
      socket.on('data', onData).on('close', onClose);
      if (isLast) socket.end(bytes);
      else socket.write(bytes);
    });
  }
}

function mayFollow({ headers }: WireAnswer): boolean {
  const hasEnd = headers['content-length'] !== undefined || headers['transfer-encoding'] === 'chunked';
  return hasEnd && headers.connection !== 'close' && !isEventStream(headers);
}

function isEventStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith(EVENT_STREAM) === true;
}

/** The first final answer among the bytes, once it is whole. @throws Error where it is no HTTP */
function wholeAnswer(received: Buffer, isHead: boolean, isClosed: boolean): Omit<WireAnswer, 'ms'> | null {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1]);
  const rest = received.subarray(end + 4);
  // 100 Continue comes before the answer.
  if (status < 200) return wholeAnswer(rest, isHead, isClosed);
  const headers: IncomingHttpHeaders = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const bytes = isHead || isEventStream(headers) ? Buffer.alloc(0) : bodyOf(rest, headers, isClosed);
  return bytes && { status, headers, bytes };
}

function bodyOf(rest: Buffer, headers: IncomingHttpHeaders, isClosed: boolean): Buffer | null {
  if (headers['transfer-encoding'] === 'chunked') return unchunked(rest);
  const length = headers['content-length'];
  if (length === undefined) return isClosed ? rest : null;
  return rest.length >= Number(length) ? rest.subarray(0, Number(length)) : null;
}

function unchunked(rest: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = rest.indexOf('\r\n', at);
    if (line < 0) return null;
    const length = parseInt(rest.subarray(at, line).toString('latin1'), 16);
    const from = line + 2;
    if (rest.length < from + length + 2) return null;
    if (length === 0) return Buffer.concat(parts);
    parts.push(rest.subarray(from, from + length));
    at = from + length + 2;
  }
}
