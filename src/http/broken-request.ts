import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import { problemOf } from './problem';

/** So long whoever still sends may go on, so that the answer is not lost with the connection. */
const LINGER_MS = 1_000;

const codeOfError: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Answers what Node's parser refuses with a problem document, and closes the connection. */
export function answerBrokenRequest({ code = '', message }: NodeJS.ErrnoException, socket: Socket): void {
  // Each further piece of the same request is refused as well.
  if (socket.writableEnded) return;
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = codeOfError[code];
  const error = known ? new DomainError(known) : new DomainError('bad_request', `not HTTP: ${message}`);
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      'Content-Type: application/problem+json\r\nCache-Control: no-store\r\n' +
      'X-Content-Type-Options: nosniff\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}
