import type { FastifyInstance } from 'fastify';
import type { Position } from '../kernel/event';

/** The answer to a write: what is sent, and the position that a later read can wait for. */
export class Written<Body> {
  constructor(
    readonly body: Body,
    readonly position: Position,
    readonly status?: number,
  ) {}
}

/** Puts a write's position into the `Reveille-Position` header. A hook, because an interceptor costs each request three times as much. */
export function sendPositions(server: FastifyInstance): void {
  server.addHook('preSerialization', (_request, reply, answer: unknown, done) => {
    if (!(answer instanceof Written)) return done(null, answer);
    void reply.header('Reveille-Position', answer.position.toString());
    if (answer.status !== undefined) void reply.code(answer.status);
    done(null, answer.body);
  });
}
