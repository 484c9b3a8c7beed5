import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendProblem } from '../http/problem.filter';
import { DomainError } from '../kernel/errors';

const OPEN_PATHS = /^\/(health\/(live|ready)|openapi\.json|docs)$/;

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
      sendProblem(reply, refusal);
      return false;
    }
    request.actor = { type: 'user', id: 'admin' };
    return true;
  }

  private refusal(request: FastifyRequest): DomainError | null {
    const { host, origin, authorization } = request.headers;
    if (!this.isOwnHost(host)) return new DomainError('forbidden_host', 'The Host is not allowed', { host });
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      return new DomainError('forbidden_host', 'The Origin is not allowed', { origin });
    }
    const path = request.url.split('?', 1)[0]!;
    if (OPEN_PATHS.test(path) || this.isToken(authorization)) return null;
    return new DomainError('unauthorized');
  }

  /** An address is always fine: only names can be made to point here by somebody else. */
  private isOwnHost(host: string | undefined): boolean {
    if (host === undefined) return false;
    const name = host
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();
    return isIP(name) !== 0 || this.hostNames.has(name);
  }

  private isToken(authorization: string | undefined): boolean {
    if (this.tokenHash === null) return true;
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    return token !== undefined && timingSafeEqual(sha256(token), this.tokenHash);
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
