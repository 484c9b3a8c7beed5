import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { DocumentsUnavailable, InvalidCursor } from '../documents/document-store';
import { LogUnavailable } from '../event-log/event-log';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import { problemOf, retryAfterSec } from './problem';

/** Turns whatever was thrown into a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const error = domainErrorOf(thrown);
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (error.code === 'internal') {
      this.logger.error({ requestId: reply.request.id, err: thrown }, 'a request has failed');
    }
    sendProblem(reply, error);
  }
}

export function sendProblem(reply: FastifyReply, error: DomainError): void {
  const problem = problemOf(error);
  reply.refusal = error.code;
  const retryAfter = retryAfterSec(error.code);
  if (retryAfter !== null) void reply.header('Retry-After', `${retryAfter}`);
  if (problem.status === 401) void reply.header('WWW-Authenticate', 'Bearer');
  void reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** What Fastify and Nest throw by themselves, by status. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  404: 'route_not_found',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
};

/** What any error means to a client. */
export function domainErrorOf(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  if (thrown instanceof InvalidCursor) {
    return new DomainError('bad_request', `cursor: ${thrown.message}`, { field: 'cursor' });
  }
  if (thrown instanceof LogUnavailable) return new DomainError('log_unavailable', thrown.message);
  if (thrown instanceof DocumentsUnavailable) {
    return new DomainError('documents_unavailable', thrown.message);
  }
  const status = thrown instanceof HttpException ? thrown.getStatus() : statusCodeOf(thrown);
  const code = status === undefined ? undefined : codeOfStatus[status];
  if (code === undefined) return new DomainError('internal');
  const { message, code: reason } = thrown as Error & { code?: string };
  // The router repeats the whole of it.
  if (code === 'uri_too_long') return new DomainError(code);
  if (code !== 'bad_request') return new DomainError(code, message);
  // What Fastify refuses by itself is wrong with the URL, or with the body as a whole.
  if (reason === 'FST_ERR_BAD_URL') return new DomainError(code, `path: ${message}`, { field: 'path' });
  return new DomainError(code, `body: ${message}`, { field: '' });
}

function statusCodeOf(thrown: unknown): number | undefined {
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}
