import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../auth/principal';
import type { Cause } from '../kernel/cause';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the token has been checked. */
    principal?: Principal;
  }
}

/** Who asks, with all that the token says. */
export const RequestPrincipal = createParamDecorator((_data: unknown, context: ExecutionContext): Principal =>
  principalOf(context),
);

/** Who asks, and by which request, for the metadata of the events. */
export const RequestCause = createParamDecorator((_data: unknown, context: ExecutionContext): Cause => ({
  actor: principalOf(context).actor,
  correlationId: context.switchToHttp().getRequest<FastifyRequest>().id,
}));

export function principalOf(context: ExecutionContext): Principal {
  const { principal } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!principal) throw new Error('a request has reached a controller without a principal');
  return principal;
}
