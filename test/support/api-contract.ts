import type { ValidateFunction } from 'ajv/dist/2020';
import Ajv2020 from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import type { JsonSchema, OpenApiDocument, Operation, Response } from '../../src/openapi/openapi-document';
import type { Answer } from './server';

/**
 * What the document promises, closed: a field that is not described is an error here, although clients must not mind
 * one.
 */
export class ApiContract {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true });
  private readonly operations: { id: string; method: string; path: RegExp; operation: Operation }[];
  private readonly seen = new Set<string>();
  private readonly validators = new WeakMap<JsonSchema, ValidateFunction>();

  constructor(private readonly document: OpenApiDocument) {
    addFormats(this.ajv);
    this.ajv.addSchema({ $id: 'api', ...(closed(document) as object) });
    this.operations = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({
        id: operation.operationId,
        method: method.toUpperCase(),
        path: new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
        operation,
      })),
    );
  }

  get operationIds(): string[] {
    return this.operations.map(({ id }) => id);
  }

  /** Every answer that is no refusal, as `operationId status`. */
  get successes(): string[] {
    return this.operations.flatMap(({ id, operation }) =>
      Object.entries(operation.responses)
        .filter(([, response]) => !isRefusal(this.resolved(response)))
        .map(([status]) => `${id} ${status}`),
    );
  }

  /** Every code that any operation may refuse with. */
  get refusalCodes(): string[] {
    const names = Object.keys(this.document.components.responses);
    return [...new Set(names.flatMap((name) => name.split('.')))];
  }

  /** What has been checked so far, as `operationId status`. */
  get checked(): ReadonlySet<string> {
    return this.seen;
  }

  /** @returns what is wrong with an answer: nothing, where it is as the document says */
  check(method: string, path: string, answer: Answer<unknown>): string[] {
    const called = this.operations.find(
      (operation) => operation.method === method && operation.path.test(path.split('?')[0]!),
    );
    if (!called) return [`no operation is described for ${method} ${path}`];
    const described = called.operation.responses[answer.status];
    if (!described) return [`${called.id} answers ${answer.status}, which is not described`];
    this.seen.add(`${called.id} ${answer.status}`);
    const response = this.resolved(described);
    return [...this.wrongHeaders(response, answer), ...this.wrongBody(response, answer)].map(
      (problem) => `${called.id} ${answer.status}: ${problem}`,
    );
  }

  /** @returns what is wrong with a value by a schema of the document */
  wrongBy(schema: JsonSchema, value: unknown): string[] {
    const validate = this.validatorOf(schema);
    if (validate(value)) return [];
    return validate.errors!.map(
      ({ instancePath, message, params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
    );
  }

  /** Compiling takes longer than validating. */
  private validatorOf(schema: JsonSchema): ValidateFunction {
    const known = this.validators.get(schema);
    if (known) return known;
    const compiled = this.ajv.compile(withBase(closed(schema)) as object);
    this.validators.set(schema, compiled);
    return compiled;
  }

  private wrongHeaders({ headers = {} }: Response, answer: Answer<unknown>): string[] {
    return Object.keys(headers)
      .filter((name) => answer.headers[name.toLowerCase()] === undefined)
      .map((name) => `the header ${name} is missing`);
  }

  private wrongBody({ content = {} }: Response, answer: Answer<unknown>): string[] {
    const type = answer.headers['content-type'] ?? 'no content type';
    const described = content[type] ?? content[type.split(';')[0]!];
    return described
      ? this.wrongBy(described.schema, answer.body)
      : [`it is ${type}, which is not described`];
  }

  private resolved(response: Operation['responses'][string]): Response {
    if (!('$ref' in response)) return response;
    return this.document.components.responses[response.$ref.split('/').at(-1)!]!;
  }
}

export function isRefusal({ content = {} }: Response): boolean {
  return 'application/problem+json' in content;
}

/** The same, and objects have no other properties than those that are named. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]));
  const isOpen = inner['type'] === 'object' && 'properties' in inner && !('additionalProperties' in inner);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

function withBase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      key === '$ref' && typeof part === 'string' ? part.replace(/^#/, 'api#') : withBase(part),
    ]),
  );
}
