import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { ReadAnswer } from './answer-reader';
import { AnswerReader, isEventStream, WireFault } from './answer-reader';

export interface WireAnswer extends ReadAnswer {
  ms: number;
}

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
   * @returns null: the connection was closed without a word
   * @throws WireFault
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
    const reader = new AnswerReader(isHead);
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void) => {
        clearTimeout(timer);
        socket.off('data', onData).off('close', onClose);
        settled();
      };
      const fail = (error: Error) => {
        socket.destroy();
        settle(() => reject(error));
      };
      const timer = setTimeout(
        () => fail(new WireFault(`no whole answer within ${deadlineMs} ms`)),
        deadlineMs,
      );
      const read = (take: () => ReadAnswer | null | undefined) => {
        try {
          const answer = take();
          if (answer === undefined) return;
          settle(() => resolve(answer && { ...answer, ms: performance.now() - startedAt }));
        } catch (error) {
          fail(error as WireFault);
        }
      };
      const onData = (part: Buffer) =>
        read(() => {
          const answer = reader.take(part) ?? undefined;
          // Nothing else has been asked.
          if (answer && !isLast && reader.surplus.length > 0)
            throw new WireFault(`more than an answer: ${reader.surplus.toString()}`);
          return answer;
        });
      // Who has closed his side first may not be answered to the end.
      const onClose = () => read(() => reader.end(isLast));
      socket.on('data', onData).on('close', onClose);
      if (isLast) socket.end(bytes);
      else socket.write(bytes);
    });
  }
}

function mayFollow({ headers }: ReadAnswer): boolean {
  const hasEnd = headers['content-length'] !== undefined || headers['transfer-encoding'] === 'chunked';
  return hasEnd && headers.connection !== 'close' && !isEventStream(headers);
}
