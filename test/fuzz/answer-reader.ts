import type { IncomingHttpHeaders } from 'node:http';

export interface ReadAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
}

/** What came back cannot be judged: it is late, no HTTP, cut off, or has no end. */
export class WireFault extends Error {}

/** More than any answer of a campaign has: what passes it goes on for ever, or soon would. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

const MAX_LINE_BYTES = 64 * 1024;
const SHOWN_BYTES = 80;
const NOTHING = Buffer.alloc(0);
const EVENT_STREAM = 'text/event-stream';

/** Takes bytes; answers what is left of them and who takes that, or null where more have to come first. */
type Step = (bytes: Buffer) => { rest: Buffer; next: Step | null } | null;

/** The first final answer on a connection, read as it comes: each byte is looked at once, however many follow. */
export class AnswerReader {
  private status = 0;
  private headers: IncomingHttpHeaders = {};
  private readonly body: Buffer[] = [];
  private length = 0;
  /** Bytes that nobody has taken yet. */
  private pending: Buffer = NOTHING;
  private step: Step | null = (bytes) => this.head(bytes);

  /** @param isHead the request's method is HEAD: whatever the headers say, no body follows */
  constructor(private readonly isHead: boolean) {}

  /** What has come after the answer. */
  get surplus(): Buffer {
    return this.step === null && !isEventStream(this.headers) ? this.pending : NOTHING;
  }

  /** @returns the answer, once it is whole @throws WireFault */
  take(part: Buffer): ReadAnswer | null {
    this.pending = this.pending.length === 0 ? part : Buffer.concat([this.pending, part]);
    while (this.step !== null) {
      const done = this.step(this.pending);
      if (done === null) return null;
      [this.pending, this.step] = [done.rest, done.next];
    }
    return this.answer();
  }

  /**
   * The connection has been closed.
   *
   * @param mayCut an answer without its end counts as none
   * @returns null: without a word
   * @throws WireFault in the middle of an answer
   */
  end(mayCut: boolean): ReadAnswer | null {
    if (this.step === this.untilClosed) return this.answer();
    if (mayCut || (this.status === 0 && this.pending.length === 0)) return null;
    throw new WireFault(
      `closed in the middle of an answer: ${this.status}, ${this.length} bytes of its body`,
    );
  }

  private answer(): ReadAnswer {
    return { status: this.status, headers: this.headers, bytes: Buffer.concat(this.body) };
  }

  private head(bytes: Buffer): ReturnType<Step> {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return needsMore(bytes, 'a head');
    const [first, ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first!)?.[1]);
    if (Number.isNaN(status)) throw new WireFault(`no HTTP: ${shown(bytes)}`);
    const rest = bytes.subarray(end + 4);
    // 100 Continue comes before the answer.
    if (status < 200) return { rest, next: this.step };
    this.status = status;
    for (const line of lines) {
      const colon = line.indexOf(':');
      this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    return { rest, next: this.bodyReader() };
  }

  private bodyReader(): Step | null {
    const { 'transfer-encoding': encoding, 'content-length': length } = this.headers;
    const hasNone = this.isHead || this.status === 204 || this.status === 304;
    if (hasNone || isEventStream(this.headers)) return null;
    if (encoding === 'chunked') return this.chunkSize;
    return length === undefined ? this.untilClosed : this.exactly(Number(length), null);
  }

  private readonly chunkSize: Step = (bytes) => {
    const end = bytes.indexOf('\r\n');
    if (end < 0) return needsMore(bytes, 'the size of a chunk');
    const size = bytes.subarray(0, end).toString('latin1');
    if (!/^[\da-f]+$/i.test(size)) throw new WireFault(`no size of a chunk: ${shown(bytes)}`);
    const rest = bytes.subarray(end + 2);
    const length = parseInt(size, 16);
    return { rest, next: length === 0 ? lineEnd(null) : this.exactly(length, lineEnd(this.chunkSize)) };
  };

  private exactly(length: number, next: Step | null): Step {
    let left = length;
    return (bytes) => {
      const taken = bytes.subarray(0, left);
      this.keep(taken);
      left -= taken.length;
      if (left === 0) return { rest: bytes.subarray(taken.length), next };
      this.pending = NOTHING;
      return null;
    };
  }

  private readonly untilClosed: Step = (bytes) => {
    this.keep(bytes);
    this.pending = NOTHING;
    return null;
  };

  private keep(bytes: Buffer): void {
    this.length += bytes.length;
    if (this.length > MAX_ANSWER_BYTES)
      throw new WireFault(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    this.body.push(bytes);
  }
}

/** What ends a chunk, and the last one: nobody here sends trailers. */
function lineEnd(next: Step | null): Step {
  return (bytes) => {
    if (bytes.length < 2) return null;
    if (bytes.readUInt16BE(0) !== 0x0d0a) throw new WireFault(`no end of a chunk: ${shown(bytes)}`);
    return { rest: bytes.subarray(2), next };
  };
}

function needsMore(bytes: Buffer, what: string): null {
  if (bytes.length > MAX_LINE_BYTES) throw new WireFault(`${what} of more than ${MAX_LINE_BYTES} bytes`);
  return null;
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.subarray(0, SHOWN_BYTES).toString('latin1'));
}

export function isEventStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith(EVENT_STREAM) === true;
}
