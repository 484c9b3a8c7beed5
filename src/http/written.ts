import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Observable } from 'rxjs';
import { map } from 'rxjs';
import type { Position } from '../kernel/event';

/** The answer to a write: what is sent, and the position that a later read can wait for. */
export class Written<Body> {
  constructor(
    readonly body: Body,
    readonly position: Position,
    readonly status?: number,
  ) {}
}

/** Puts a write's position into the `Reveille-Position` header. */
@Injectable()
export class WrittenInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((answer: unknown) => {
        if (!(answer instanceof Written)) return answer;
        const reply = context.switchToHttp().getResponse<FastifyReply>();
        void reply.header('Reveille-Position', answer.position.toString());
        if (answer.status !== undefined) void reply.code(answer.status);
        return answer.body as unknown;
      }),
    );
  }
}
