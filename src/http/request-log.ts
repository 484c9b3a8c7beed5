import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { ErrorCode } from '../kernel/errors';

declare module 'fastify' {
  interface FastifyReply {
    /** Set where the request was refused. */
    refusal?: ErrorCode;
  }
}

interface RequestObserver {
  logger: Logger;
  onRefused: (code: ErrorCode) => void;
}

/**
 * Gives every request its id, in the answer, on the log of the server and as the correlation id of the events it leads
 * to; and says what came of it. Headers and queries are never logged: they may hold secrets.
 */
export function observeRequests(server: FastifyInstance, { logger, onRefused }: RequestObserver): void {
  server.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    void reply.header('X-Request-Id', request.id);
    done();
  });
  server.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const { id: requestId, method, url, routeOptions } = request;
    const { statusCode: status, refusal, elapsedTime } = reply;
    if (refusal !== undefined) onRefused(refusal);
    const path = url.split('?', 1)[0];
    const ms = Math.round(elapsedTime);
    logger.info(
      { requestId, method, path, route: routeOptions.url, status, refusal, ms },
      'request answered',
    );
    done();
  });
}
