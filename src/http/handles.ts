import type { ExecutionContext } from '@nestjs/common';
import { createParamDecorator, HttpCode, RequestMapping, RequestMethod } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { parse } from './parse';
import type { InputOf, ReplyOf, Route } from './route';
import { z } from 'zod';

const ROUTE = Symbol('the route that a method handles');
const nothing = z.strictObject({});

/** The method handles the route, and answers what the route says. */
export function Handles<R extends Route>(route: R) {
  const status = Math.min(...Object.keys(route.answers).map(Number));
  return <T extends (...args: never[]) => ReplyOf<R> | Promise<ReplyOf<R>>>(
    target: object,
    name: string,
    descriptor: TypedPropertyDescriptor<T>,
  ): void => {
    RequestMapping({ path: route.path, method: RequestMethod[route.method] })(target, name, descriptor);
    HttpCode(status)(target, name, descriptor);
    Reflect.defineMetadata(ROUTE, route, descriptor.value!);
  };
}

/** The request, checked: its `params`, `query`, `headers` and `body`. @throws DomainError `bad_request` */
export const Input = createParamDecorator((_data: unknown, context: ExecutionContext): InputOf<Route> => {
  const route = routeOf(context.getHandler());
  if (!route) throw new Error(`${context.getHandler().name} has an input, but handles no route`);
  const { params, query, headers, body } = context.switchToHttp().getRequest<FastifyRequest>();
  return {
    params: route.params ? parse(route.params, params) : (params as Record<string, string>),
    query: parse(route.query ?? nothing, query),
    headers: route.headers ? parse(route.headers, named(Object.keys(route.headers.shape), headers)) : {},
    body: route.body ? (parse(route.body, route.isBodyOptional ? (body ?? {}) : body) as object) : {},
  };
});

/** What the methods of these controllers handle. */
export function routesOf(controllers: readonly { prototype: object }[]): Route[] {
  return controllers.flatMap(({ prototype }) =>
    Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const method: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      return (typeof method === 'function' && routeOf(method)) || [];
    }),
  );
}

/** What a method handles. */
export function routeOf(handler: object): Route | undefined {
  return Reflect.getMetadata(ROUTE, handler) as Route | undefined;
}

/** The headers under the names that the route gives them: on the wire they have no case. */
function named(names: readonly string[], headers: FastifyRequest['headers']): Record<string, unknown> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name.toLowerCase()];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
