import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Actor } from '../kernel/event';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the token has been checked. */
    actor?: Actor;
  }
}

/** Who asks, for the metadata of the events. */
export const RequestActor = createParamDecorator((_data: unknown, context: ExecutionContext): Actor => {
  const { actor } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!actor) throw new Error('a request has reached a controller without an actor');
  return actor;
});
