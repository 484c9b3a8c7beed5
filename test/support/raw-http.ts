import { connect } from 'node:net';

/** What a server has written on one connection before either side closed it. */
export interface RawAnswer {
  status: number;
  /** By lower-case name. */
  headers: Record<string, string>;
  body: string;
  /** As it came; empty where the connection was closed without a word. */
  text: string;
  /** From the connection to its end. */
  ms: number;
}

export interface RawOptions {
  /** Sent again and again, for as long as the connection is open. */
  drip?: { text: string; everyMs: number };
  /** We hang up then. */
  leavesAfterMs?: number;
}

/** Sends bytes that no client library would, and answers when the connection is closed. */
export function sendRaw(
  url: string,
  text: string,
  { drip, leavesAfterMs = 60_000 }: RawOptions = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const begunAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    const dripping = drip && setInterval(() => socket.writable && socket.write(drip.text), drip.everyMs);
    const leaving = setTimeout(() => socket.destroy(), leavesAfterMs);
    let received = '';
    socket.on('data', (part) => (received += part.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(dripping);
      clearTimeout(leaving);
      resolve({ ...parsed(received), ms: performance.now() - begunAt });
    });
  });
}

function parsed(text: string): Omit<RawAnswer, 'ms'> {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(statusLine.split(' ')[1] ?? 0),
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: end < 0 ? '' : text.slice(end + 4),
    text,
  };
}
