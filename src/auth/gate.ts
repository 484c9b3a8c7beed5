import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { checkUrl } from '../http/http-server';
import { domainErrorOf, sendProblem } from '../http/problem.filter';
import type { ErrorCode } from '../kernel/errors';
import { DomainError } from '../kernel/errors';
import type { AccessTokens } from './access-tokens';
import type { Principal } from './principal';
import { SERVER_ADMIN } from './principal';
import type { RateLimits } from './rate-limits';
import type { RunTokens } from './run-tokens';
import { tokenHash } from './token-hash';

const OPEN_PATHS = /^\/(health\/(live|ready)|openapi\.json|docs)$/;
const IS_JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export interface GateOptions {
  /** null: nobody is asked for a token. */
  adminToken: string | null;
  /** The configured one. */
  host: string;
  tokens: AccessTokens;
  runTokens: RunTokens;
  limits: RateLimits;
  /** Is told of every refusal that is no answer to an HTTP request. */
  onRefused: (code: ErrorCode) => void;
}

/**
 * Stands before every route, unknown ones included: a web page must not be able to drive the service (`Host` against
 * DNS rebinding, `Origin` against cross-site requests), and everything but what is meant for all needs a token.
 */
export class Gate {
  private readonly adminHash: Buffer | null;
  private readonly hostNames: ReadonlySet<string>;

  constructor(private readonly options: GateOptions) {
    const { adminToken, host } = options;
    this.adminHash = adminToken === null ? null : Buffer.from(tokenHash(adminToken));
    this.hostNames = new Set(['localhost', host.toLowerCase(), hostname().toLowerCase()]);
  }

  /** Answers true where the request may pass; otherwise it has been answered. */
  async check(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    try {
      const { headers, url } = request;
      checkUrl(url);
      const path = url.split('?', 1)[0]!;
      if (OPEN_PATHS.test(path)) this.checkOrigin(headers);
      else request.principal = await this.admit(headers, bearerOf(headers));
      return true;
    } catch (error) {
      // A request without Host is no HTTP/1.1 (RFC 9112, 3.2): whoever sends one is not spoken with any longer.
      if (request.headers.host === undefined) void reply.header('Connection', 'close');
      sendProblem(reply, domainErrorOf(error));
      return false;
    }
  }

  /**
   * Who a client is, whatever it comes in by.
   *
   * @throws DomainError `unauthorized`, `rate_limited`, `forbidden_host`, `bad_request`, `log_unavailable`
   */
  async admit(headers: IncomingHttpHeaders, token: string | undefined): Promise<Principal> {
    this.checkOrigin(headers);
    const principal = await this.principalOf(token);
    if (!principal) throw new DomainError('unauthorized');
    this.limit(principal);
    return principal;
  }

  /** Counts one more request. @throws DomainError `rate_limited` */
  limit(principal: Principal): void {
    this.options.limits.take(principal);
  }

  /** A socket was refused, or something that it asked for. */
  refused({ code }: DomainError): void {
    this.options.onRefused(code);
  }

  /** What is asked of a client that needs no token. @throws DomainError `forbidden_host`, `bad_request` */
  checkOrigin({ host, origin }: IncomingHttpHeaders): void {
    if (host === undefined) throw new DomainError('bad_request', 'Host: is missing', { field: 'Host' });
    if (!this.isOwnHost(host)) throw new DomainError('forbidden_host', 'The Host is not allowed', { host });
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      throw new DomainError('forbidden_host', 'The Origin is not allowed', { origin });
    }
  }

  /** An address is always fine: only names can be made to point here by somebody else. */
  private isOwnHost(host: string): boolean {
    const name = host
      .replace(/:\d+$/, '')
      .replace(/^\[(.*)\]$/, '$1')
      .toLowerCase();
    return isIP(name) !== 0 || this.hostNames.has(name);
  }

  private async principalOf(token: string | undefined): Promise<Principal | null> {
    const { tokens, runTokens } = this.options;
    if (token === undefined) return this.adminHash === null ? SERVER_ADMIN : null;
    if (this.adminHash && timingSafeEqual(Buffer.from(tokenHash(token)), this.adminHash)) return SERVER_ADMIN;
    const known = IS_JWT.test(token) ? await runTokens.principal(token) : tokens.principal(token);
    // Where nobody is asked for a token, whoever shows one is still taken for whom it names.
    return known ?? (this.adminHash === null ? SERVER_ADMIN : null);
  }
}

function bearerOf({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1];
}
