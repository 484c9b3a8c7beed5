import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import { answersOn } from './answers-in-turn';
import { problemOf } from './problem';

/** So long whoever still sends may go on, so that the answer is not lost with the connection. */
const LINGER_MS = 1_000;

const codeOfError: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'payload_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** Each further piece of a broken request is refused by the parser as well. */
const refused = new WeakSet<Socket>();

/**
 * Answers what Node's parser refuses with a problem document, after what was asked before on the same connection has
 * been answered, and closes the connection. A broken request whose answer has begun gets no other.
 */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  // First of all: what still comes must not cut off a refusal that is on its way.
  if (refused.has(socket)) return;
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  refused.add(socket);
  void refuseInTurn(error, socket);
}

async function refuseInTurn(error: NodeJS.ErrnoException, socket: Socket): Promise<void> {
  const answers = answersOn(socket);
  // Only the last one can be the broken one itself; else that one has not even a head.
  const broken = answers.find(({ req }) => !req.complete);
  for (const answer of answers) if (answer !== broken || answer.headersSent) await ended(answer);
  if (!socket.writable) return;
  if (broken?.headersSent) socket.end();
  else socket.end(refusalOf(error));
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

async function ended(answer: ServerResponse): Promise<void> {
  if (!answer.closed) await new Promise((resolve) => answer.once('close', resolve));
}

function refusalOf({ code = '', message }: NodeJS.ErrnoException): string {
  const known = codeOfError[code];
  const error = known ? new DomainError(known) : new DomainError('bad_request', `not HTTP: ${message}`);
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  return (
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
    'Content-Type: application/problem+json\r\nCache-Control: no-store\r\n' +
    'X-Content-Type-Options: nosniff\r\n' +
    `Content-Length: ${Buffer.byteLength(body)}\r\n` +
    `Connection: close\r\n\r\n${body}`
  );
}
