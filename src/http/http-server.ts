import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { DomainError } from '../kernel/errors';
import { noteAnswer } from './answers-in-turn';
import { answerBrokenRequest } from './broken-request';
import { httpLimits } from './limits';
import { problemOf } from './problem';

/** What Fastify and Node are told of what a client may send, and in which time. */
export const limitedServer = {
  bodyLimit: httpLimits.bodyBytes,
  keepAliveTimeout: httpLimits.keepAliveMs,
  requestTimeout: httpLimits.requestMs,
  // A name that is too long is to be refused by whoever knows names, with a problem document.
  routerOptions: { maxParamLength: httpLimits.pathParameterBytes },
  // What is no HTTP does not even reach the router.
  clientErrorHandler: answerBrokenRequest,
  http: {
    maxHeaderSize: httpLimits.headerBytes,
    headersTimeout: httpLimits.headersMs,
    requestTimeout: httpLimits.requestMs,
    connectionsCheckingInterval: httpLimits.checkMs,
    // The gate asks for it, and refuses with a problem document.
    requireHostHeader: false,
  },
} as const;

/**
 * On every answer, whoever gives it: nothing is kept by browsers and proxies, taken for another type than it has, shown
 * in a frame or read by a page of another origin. A page of ours says what else it needs by a policy of its own.
 */
export const protectiveHeaders = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;

/** To be called when everybody who answers requests has been connected: it has to come before them. */
export function protectAnswers(server: Server): void {
  server.prependListener('request', (request, response) => {
    setHeaders(response);
    noteAnswer(request, response);
  });
  // Node would answer by itself, without a body.
  server.on('checkExpectation', refuseExpectation);
}

/** @throws DomainError `uri_too_long`, `bad_request` */
export function checkUrl(url: string): void {
  if (url.length > httpLimits.urlBytes) throw new DomainError('uri_too_long');
  const parameters = /\?(.*)$/s.exec(url)?.[1]?.split('&').length ?? 0;
  if (parameters > httpLimits.queryParameters) {
    const message = `query: has more than ${httpLimits.queryParameters} parameters`;
    throw new DomainError('bad_request', message, { field: 'query' });
  }
}

function refuseExpectation(request: IncomingMessage, response: ServerResponse): void {
  noteAnswer(request, response);
  const problem = problemOf(
    new DomainError('bad_request', 'Expect: only 100-continue is understood', { field: 'Expect' }),
  );
  setHeaders(response);
  response
    .writeHead(problem.status, { 'Content-Type': 'application/problem+json', Connection: 'close' })
    .end(JSON.stringify(problem));
}

function setHeaders(response: ServerResponse): void {
  for (const [name, value] of Object.entries(protectiveHeaders)) response.setHeader(name, value);
}
