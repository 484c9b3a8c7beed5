import type { JsonSchema, OpenApiDocument, Operation, Parameter } from '../../src/openapi/openapi-document';
import type { Dice } from '../support/dice';
import { brokenBody } from './broken-json';
import type { FuzzRequest } from './fuzz-request';
import type { Known } from './known';
import { oddParameter, oddPath, oddQuery } from './odd-targets';
import { oddlySent } from './odd-transport';
import { wellFormed } from './odd-values';
import type { Hint } from './schema-values';
import { SchemaValues } from './schema-values';

/** Who sends requests. */
export interface Sender {
  token: string;
  /** null: the server's own admin. */
  role: string | null;
}

export interface Route {
  id: string;
  method: string;
  path: string;
  operation: Operation;
  /** How often it is asked for, once it has succeeded. */
  weight: number;
}

/** What is known of single operations beyond the document: nothing has to be. */
export interface Recipes {
  /** Bodies that do more than the example in the document. */
  bodies: Readonly<Record<string, readonly object[]>>;
  /** How many times as often as others these are asked for, so that there is something for the others to find. */
  favourites: Readonly<Record<string, number>>;
}

/** So much more often is a route asked that has not been seen to succeed yet. */
const UNSEEN_WEIGHT = 32;
/** Reads of a whole log are asked for less often. */
const HEAVY_WEIGHT = 1;
const WEIGHT = 4;

/** Thinks up requests, from nothing but the document, and what is known to exist. */
export class RequestMaker {
  readonly routes: readonly Route[];
  private readonly values: SchemaValues;

  constructor(
    document: OpenApiDocument,
    private readonly known: Known,
    private readonly senders: readonly Sender[],
    private readonly recipes: Recipes,
    private readonly succeeded: () => ReadonlySet<string>,
  ) {
    this.values = new SchemaValues(document, hintsFrom(known));
    this.routes = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        operation,
        weight: isHeavy(operation) ? HEAVY_WEIGHT : WEIGHT * (recipes.favourites[operation.operationId] ?? 1),
      })),
    );
  }

  next(number: number, dice: Dice): FuzzRequest {
    const succeeded = this.succeeded();
    const weighted = this.routes.map((route) => {
      return { route, weight: succeeded.has(route.id) ? route.weight : UNSEEN_WEIGHT };
    });
    return this.requestFor(dice.weighted(weighted).route, number, dice);
  }

  /** As it should be, as far as the document says how. */
  validFor(route: Route, number: number, dice: Dice): FuzzRequest {
    return this.build(route, number, dice, { kind: 'valid' });
  }

  private requestFor(route: Route, number: number, dice: Dice): FuzzRequest {
    const how = dice.upTo(20);
    if (how < 8) return this.validFor(route, number, dice);
    if (how < 13 && schemaOfBody(route.operation)) return this.build(route, number, dice, { kind: 'body' });
    if (how < 15 && route.path.includes('{')) return this.build(route, number, dice, { kind: 'parameter' });
    if (how < 17) return this.build(route, number, dice, { kind: 'query' });
    const valid = this.validFor(route, number, dice);
    if (how > 17) return oddlySent(valid, dice);
    const target = oddPath(valid.target, dice);
    return { ...valid, kind: 'path', operationId: null, target };
  }

  private build(
    { id, method, path, operation }: Route,
    number: number,
    dice: Dice,
    { kind }: { kind: 'valid' | 'body' | 'parameter' | 'query' },
  ): FuzzRequest {
    const [place, query] = [
      this.placeOf(path, operation, kind === 'parameter', dice),
      this.queryOf(operation, dice),
    ];
    const search = kind === 'query' ? oddQuery(query, this.known, dice) : encoded(query);
    const headers: (readonly [string, string])[] = [
      ['X-Request-Id', `fuzz-${number}`],
      ['Authorization', `Bearer ${this.senderFor(operation, dice).token}`],
      ...this.headersOf(operation, dice),
    ];
    const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
    const request = { number, operationId: id, kind: kind as string, method, headers, isUnframed: false };
    const target = search === '' ? place : `${place}?${search}`;
    if (type === undefined) return { ...request, target, body: null };
    headers.push(['Content-Type', type]);
    const valid = this.bodyOf(id, content!.schema, dice);
    if (kind !== 'body') return { ...request, target, body: Buffer.from(JSON.stringify(valid)) };
    const { what, body } = brokenBody(valid, content!.schema, this.values, dice);
    return { ...request, kind: `body: ${what}`, target, body };
  }

  private bodyOf(id: string, schema: JsonSchema, dice: Dice): unknown {
    const { examples = [] } = this.values.resolved(schema);
    const bodies = [...(examples as object[]), ...(this.recipes.bodies[id] ?? [])];
    const example = bodies.length === 0 ? undefined : dice.oneOf(bodies);
    return dice.upTo(3) === 0 && example ? example : this.values.valid(schema, dice, '', example);
  }

  /** @param isOdd one of its parameters is none that is meant there */
  private placeOf(path: string, { parameters = [] }: Operation, isOdd: boolean, dice: Dice): string {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
    const odd = isOdd ? dice.oneOf(names) : null;
    return path.replace(/\{(\w+)\}/g, (_, name: string) => {
      if (name === odd) return oddParameter(name, this.known, dice);
      const { schema = {} } =
        parameters.find((parameter) => parameter.in === 'path' && parameter.name === name) ?? {};
      const known = dice.upTo(20) > 0 ? this.known.pick(name, dice) : undefined;
      return encodeURIComponent((known ?? String(this.values.valid(schema, dice))) || 'x');
    });
  }

  private queryOf({ parameters = [] }: Operation, dice: Dice): (readonly [string, string])[] {
    return this.given(parameters, 'query', dice).map(({ name, schema }) => {
      return [name, textOf(this.values.valid(schema, dice, name))] as const;
    });
  }

  private headersOf({ parameters = [], responses }: Operation, dice: Dice): (readonly [string, string])[] {
    const own = this.given(parameters, 'header', dice).map(({ name, schema }) => {
      return [name, asHeader(textOf(this.values.valid(schema, dice, name)))] as const;
    });
    const types = contentTypesOf(responses);
    return types.length > 1 && dice.upTo(3) === 0 ? [...own, ['Accept', dice.oneOf(types)]] : own;
  }

  private given(parameters: readonly Parameter[], place: Parameter['in'], dice: Dice): Parameter[] {
    return parameters.filter(
      ({ in: where, required }) => where === place && (required || dice.upTo(4) === 0),
    );
  }

  /** Mostly somebody who may. */
  private senderFor({ security = [] }: Operation, dice: Dice): Sender {
    const roles = security.flatMap(({ token = [] }) => token);
    const may = this.senders.filter(({ role }) => role === null || roles.includes(role));
    return dice.oneOf(dice.upTo(10) === 0 ? this.senders : dice.upTo(3) === 0 ? may : may.slice(0, 1));
  }
}

/** What answers line by line reads a whole log, or much of it. */
function isHeavy({ responses }: Operation): boolean {
  return contentTypesOf(responses).includes('application/x-ndjson');
}

function contentTypesOf(responses: Operation['responses']): string[] {
  return Object.values(responses).flatMap((response) =>
    'content' in response ? Object.keys(response.content ?? {}) : [],
  );
}

function schemaOfBody({ requestBody }: Operation): JsonSchema | undefined {
  return Object.values(requestBody?.content ?? {})[0]?.schema;
}

function encoded(fields: readonly (readonly [string, string])[]): string {
  return fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
}

function textOf(value: unknown): string {
  return wellFormed(typeof value === 'string' ? value : JSON.stringify(value));
}

/** A header holds bytes, and no line breaks. */
function asHeader(text: string): string {
  return Buffer.from(text.replace(/\p{Cc}/gu, ' ')).toString('latin1');
}

const moments = [
  '2020-01-01',
  '2024-02-29',
  '2025-11-23T10:00:00Z',
  '2030-01-01T00:00:00+02:00',
  '1970-01-01',
];
const nameable: Readonly<Record<string, readonly string[]>> = {
  cron: ['* * * * *', '0 9 * * 1-5', '0 0 29 2 *'],
  timezone: ['UTC', 'Europe/Berlin', 'America/St_Johns'],
  adapterType: ['process', 'http'],
  from: moments,
  to: moments,
  at: moments,
  validFrom: moments,
  taskKey: ['one', 'two', 'three'],
  coalesceKey: ['red', 'green'],
  externalKey: ['alpha', 'beta', 'gamma', '__proto__', 'é😀'],
};
const places = ['position', 'after', 'waitFor'];
const SOON_MS = 2_000;

/** Words for fields whose schema says less than is meant, by their names. */
export function hintsFrom(known: Known): Hint {
  return (field, dice) => {
    if (/^[a-z]+Id$/.test(field)) return known.pick(field, dice);
    if (places.includes(field)) return known.pick('position', dice);
    if (field === 'cursor') return known.pick('cursor', dice);
    if (field === 'notBefore') return new Date(Date.now() + dice.upTo(SOON_MS)).toISOString();
    // What is executed has the form of its adapter: it goes with the type that the example names.
    if (field === 'adapterType' && dice.upTo(10) > 0) return undefined;
    const words = nameable[field];
    return words && dice.oneOf(words);
  };
}
