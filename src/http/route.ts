import type { StreamableFile } from '@nestjs/common';
import type { z } from 'zod';
import type { Access, AgentAccess } from '../auth/access';
import type { ErrorCode } from '../kernel/errors';
import type { Written } from './written';

/**
 * A route is described once, beside its controller: what it takes, what it answers, how it refuses. The description
 * checks requests (`Input`), the type of the handler's answer (`Handles`), and is what `/openapi.json` says.
 */
export interface RouteDescription {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The whole path, parameters with a colon: `/v1/runs/:runId`. Each parameter is one of `pathParameters`. */
  path: `/${string}`;
  /** In a few words, for lists. */
  summary: string;
  description?: string;
  /** Who may call it: there is no route of which nobody has said that. */
  access: Access;
  /** What tokens of agents may do with it; left out: nothing. */
  agents?: AgentAccess;
  /** Where an id of any form will do, there is nothing to say: what is not there is answered with 404. */
  params?: z.ZodObject;
  /** Left out: the route takes no query. */
  query?: z.ZodObject;
  /** By the names that people write: `Idempotency-Key`. */
  headers?: z.ZodObject;
  body?: z.ZodType;
  /** A request without a body is read as one with `{}`. */
  isBodyOptional?: true;
  /** `application/json` where nothing else is said. */
  bodyType?: string;
  /** By status. The lowest one is what a handler answers with when it doesn't say. */
  answers: Readonly<Record<number, AnswerDescription>>;
  /** Only its own: those that any route of its kind may answer with are added (`src/openapi/refusals.ts`). */
  errors?: readonly ErrorCode[];
}

export interface AnswerDescription<Schema extends z.ZodType = z.ZodType> {
  description: string;
  /** Of the JSON; null: there is none. */
  schema: Schema | null;
  /** What it can be instead of JSON, by content type. */
  otherwise?: Readonly<Record<string, string>>;
  /** The answer to a write: `Reveille-Position` says where it stands on the log. */
  isWritten: boolean;
}

/** A route with what its table says of it. */
export type Route<D extends RouteDescription = RouteDescription> = D & { operationId: string; tag: Tag };

/** What stands in a path, and what it means. */
export const pathParameters = {
  companyId: 'Id of a company',
  agentId: 'Id of an agent',
  wakeupId: 'Id of a wakeup',
  runId: 'Id of a run',
  tokenId: 'Id of a token',
  jobId: 'Id of a job',
  name: 'Of a secret: up to 100 letters, digits and `_.-`, beginning with a letter or `_`; of a projection: as it is listed',
} as const;

/** Those among them that say whose something is. */
const OWNED_IDS = ['companyId', 'agentId', 'wakeupId', 'runId'] as const;
export type OwnedId = (typeof OWNED_IDS)[number];

/** Where a route is told whose things it is about: in its path, or where that names nothing with an owner, its query. */
export function ownedIdsOf({ path, query }: Pick<RouteDescription, 'path' | 'query'>): {
  part: 'params' | 'query';
  names: readonly OwnedId[];
} {
  const inPath = OWNED_IDS.filter((name) => path.split('/').includes(`:${name}`));
  if (inPath.length > 0) return { part: 'params', names: inPath };
  return { part: 'query', names: OWNED_IDS.filter((name) => query !== undefined && name in query.shape) };
}

/** The chapters of the documentation. */
export const tags = {
  Companies: 'Tenants: everything belongs to one, and nothing crosses.',
  Agents: 'What can be woken.',
  Wakeups: 'Requests to wake an agent, and what was decided about them.',
  Runs: 'Single executions of an agent, and what they wrote.',
  Live: 'Everything that happens, in its order.',
  Costs: 'What was spent, in micro-dollars: 1 USD is 1,000,000.',
  Tokens: 'Who may do what in a company.',
  Secrets: 'Values for the environments of agents, kept outside the log.',
  Audit: 'Proof that the log is what was written, and answers to how and why, months later.',
  Administration: 'By hand, what the server does by itself.',
  Operations: 'For whoever looks after the server. Only the metrics need a token.',
} as const;

export type Tag = keyof typeof tags;

type ParameterOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** What a handler of the route is given. */
export type InputOf<R extends RouteDescription> = {
  params: R extends { params: infer P extends z.ZodType }
    ? z.output<P>
    : Record<ParameterOf<R['path']>, string>;
  query: OutputOf<R, 'query'>;
  headers: OutputOf<R, 'headers'>;
  body: OutputOf<R, 'body'>;
};

type OutputOf<R, Part extends string> =
  R extends Record<Part, infer S extends z.ZodType> ? z.output<S> : Record<never, never>;

/** The JSON that the route answers with. */
export type BodyOf<R extends RouteDescription> =
  R['answers'][keyof R['answers']] extends AnswerDescription<infer Schema> ? z.output<Schema> : never;

/** What a handler of the route may give back. */
export type ReplyOf<R extends RouteDescription> = BodyOf<R> | Written<BodyOf<R>> | StreamableFile | void;

type NamedRoutes<T extends Record<string, RouteDescription>> = { readonly [Name in keyof T]: Route<T[Name]> };

/**
 * The routes of one controller.
 *
 * @param tag the chapter of the documentation that they are in
 * @param table by operation id, from which generated clients make the names of their methods
 */
export function routeTable<const T extends Record<string, RouteDescription>>(
  tag: Tag,
  table: T,
): NamedRoutes<T> {
  const named = Object.entries(table).map(([operationId, route]) => {
    refuseUnowned(route);
    return [operationId, { ...route, operationId, tag }];
  });
  return Object.fromEntries(named) as NamedRoutes<T>;
}

/** A company's token must not reach what nobody can tell the owner of. */
function refuseUnowned(route: RouteDescription): void {
  const { access, path } = route;
  if (access === 'open' || access === 'server' || ownedIdsOf(route).names.length > 0) return;
  throw new Error(`${path} is for tokens of companies, but names nothing that belongs to one`);
}

/** The answer to a read. */
export function answer<S extends z.ZodType>(
  schema: S,
  description: string,
  otherwise?: Readonly<Record<string, string>>,
): AnswerDescription<S> {
  return { schema, description, isWritten: false, otherwise };
}

/** The answer to a write. */
export function written<S extends z.ZodType>(schema: S, description: string): AnswerDescription<S> {
  return { schema, description, isWritten: true };
}

/** An answer that is no JSON. @param types what it is, by content type */
export function content(
  types: Readonly<Record<string, string>>,
  description: string,
): AnswerDescription<z.ZodNever> {
  return { schema: null, description, isWritten: false, otherwise: types };
}
