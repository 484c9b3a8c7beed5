import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../http/problem.filter';
import { DomainError } from '../kernel/errors';
import type { Actor } from '../kernel/event';

const OPEN_PATHS = /^\/(health\/(live|ready)|openapi\.json|docs)$/;

/** Whom the token, where there is one, is of. */
export const ADMIN: Actor = { type: 'user', id: 'admin' };

/**
 * Stands before every route, unknown ones included: a web page must not be able to drive the service (`Host` against
 * DNS rebinding, `Origin` against cross-site requests), and everything but what is meant for all needs the token.
 */
export class Gate {
  private readonly tokenHash: Buffer | null;
  private readonly hostNames: ReadonlySet<string>;

  /** @param token null: nobody is asked for one */
  constructor(token: string | null, configuredHost: string) {
    this.tokenHash = token === null ? null : sha256(token);
    this.hostNames = new Set(['localhost', configuredHost.toLowerCase(), hostname().toLowerCase()]);
  }

  /** Answers true where the request may pass; otherwise it has been answered. */
  check(request: FastifyRequest, reply: FastifyReply): boolean {
    const refusal = this.refusal(request);
    if (refusal) {
      // A request without Host is no HTTP/1.1 (RFC 9112, 3.2): whoever sends one is not spoken with any longer.
      if (request.headers.host === undefined) void reply.header('Connection', 'close');
      sendProblem(reply, refusal);
      return false;
    }
    request.actor = ADMIN;
    return true;
  }

  private refusal(request: FastifyRequest): DomainError | null {
    const { headers, url } = request;
    const path = url.split('?', 1)[0]!;
    if (OPEN_PATHS.test(path)) return this.refusalOfOrigin(headers);
    return this.refusalOf(headers, /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]);
  }

  /** Why a client may not come in, whatever it comes in by; null: it may. */
  refusalOf(headers: IncomingHttpHeaders, token: string | undefined): DomainError | null {
    return this.refusalOfOrigin(headers) ?? (this.isToken(token) ? null : new DomainError('unauthorized'));
  }

  /** The same for what needs no token. */
  refusalOfOrigin({ host, origin }: IncomingHttpHeaders): DomainError | null {
    if (host === undefined) return new DomainError('bad_request', 'Host: is missing', { field: 'Host' });
    if (!this.isOwnHost(host)) return new DomainError('forbidden_host', 'The Host is not allowed', { host });
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      return new DomainError('forbidden_host', 'The Origin is not allowed', { origin });
    }
    return null;
  }

  /** An address is always fine: only names can be made to point here by somebody else. */
  private isOwnHost(host: string): boolean {
    const name = host
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();
    return isIP(name) !== 0 || this.hostNames.has(name);
  }

  private isToken(token: string | undefined): boolean {
    if (this.tokenHash === null) return true;
    return token !== undefined && timingSafeEqual(sha256(token), this.tokenHash);
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
