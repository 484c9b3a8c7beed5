import type { z } from 'zod';
import { problemSchema, retryAfterSec } from '../http/problem';
import type { AnswerDescription, Route, RouteDescription } from '../http/route';
import { pathParameters, tags } from '../http/route';
import type { ErrorCode } from '../kernel/errors';
import { errorCatalogue } from '../kernel/errors';
import type {
  Content,
  JsonSchema,
  Method,
  OpenApiDocument,
  Operation,
  Parameter,
  Response,
} from './openapi-document';
import { refusalsOf } from './refusals';
import { SchemaCollection } from './schema-collection';

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';

const headers = {
  'Reveille-Position': {
    description: 'Where the write stands on the log: any read takes it as `waitFor`',
    schema: { type: 'string', pattern: '^\\d+$' },
  },
  'Retry-After': { description: 'Seconds after which to ask again', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: '`Bearer`', schema: { type: 'string' } },
} as const;

const about = `Reveille wakes AI agents, runs them, and remembers everything.

Every route under \`/v1\` takes a token: \`Authorization: Bearer …\`. Ids are UUIDv7, times ISO 8601 in UTC, money is in \
micro-dollars. What is not set is \`null\`, never missing. Every answer to a write has its position in the header \
\`Reveille-Position\`; a read takes it as \`?waitFor=\`, and then sees what was written. A refusal is a problem document, \
and changes nothing.`;

/** The OpenAPI document of these routes. */
export function describeRoutes(
  routes: readonly Route[],
  liveEvents: Readonly<Record<string, z.ZodType>>,
  version: string,
): OpenApiDocument {
  return new Description().of(routes, liveEvents, version);
}

class Description {
  private readonly schemas = new SchemaCollection();
  private readonly responses: Record<string, Response> = {};

  of(
    routes: readonly Route[],
    liveEvents: Readonly<Record<string, z.ZodType>>,
    version: string,
  ): OpenApiDocument {
    const events = Object.entries(liveEvents).map(([type, schema]) => [type, this.schemas.ofOutput(schema)]);
    const paths: OpenApiDocument['paths'] = {};
    for (const route of routes) {
      const path = (paths[route.path.replace(/:(\w+)/g, '{$1}')] ??= {});
      path[route.method.toLowerCase() as Method] = this.operation(route);
    }
    const used = new Set(routes.map(({ tag }) => tag));
    return {
      openapi: '3.1.0',
      info: { title: 'Reveille', version, description: about },
      servers: [{ url: '/', description: 'This server' }],
      security: [{ token: [] }],
      tags: Object.entries(tags).flatMap(([name, description]) =>
        used.has(name as keyof typeof tags) ? [{ name, description }] : [],
      ),
      paths,
      components: {
        schemas: this.schemas.all(),
        responses: this.responses,
        headers: { ...headers },
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description:
              'The admin token, which the server keeps as `admin-token` in its data folder, or a token of a company (`createToken`). Each route names the role that it takes: `viewer`, `operator` (who may also do what a `viewer` may), `admin` (the same), `agent` (a run, or an agent), or `server`: only the admin token.',
          },
        },
      },
      'x-live-events': Object.fromEntries(events) as Record<string, JsonSchema>,
    };
  }

  private operation(route: Route): Operation {
    const { operationId, tag, summary, description, body, bodyType = JSON_TYPE } = route;
    const parameters = this.parameters(route);
    return {
      operationId,
      tags: [tag],
      summary,
      ...(description !== undefined && { description }),
      security: securityOf(route),
      ...(parameters.length > 0 && { parameters }),
      ...(body && {
        requestBody: {
          required: route.isBodyOptional !== true,
          content: { [bodyType]: { schema: this.schemas.ofInput(body) } },
        },
      }),
      responses: this.answers(route),
    };
  }

  private parameters({ path, params, query, headers }: RouteDescription): Parameter[] {
    const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]): Parameter => {
      const description = pathParameters[name as keyof typeof pathParameters];
      const own = params && this.fields(params).find((field) => field.name === name)?.schema;
      return { name: name!, in: 'path', required: true, description, schema: own ?? { type: 'string' } };
    });
    const others = (schema: z.ZodObject | undefined, place: 'query' | 'header') =>
      schema ? this.fields(schema).map((field): Parameter => ({ ...field, in: place })) : [];
    return [...inPath, ...others(query, 'query'), ...others(headers, 'header')];
  }

  /** A parameter's description stands beside its schema, not in it. */
  private fields(schema: z.ZodObject): Omit<Parameter, 'in'>[] {
    const { properties = {}, required = [] } = this.schemas.ofInput(schema);
    return Object.entries(properties as Record<string, JsonSchema>).map(([name, property]) => {
      const { description, ...rest } = property;
      return {
        name,
        required: (required as string[]).includes(name),
        ...(typeof description === 'string' && { description }),
        schema: rest,
      };
    });
  }

  private answers(route: RouteDescription): Operation['responses'] {
    const responses: Operation['responses'] = {};
    for (const [status, answer] of Object.entries(route.answers)) responses[status] = this.answer(answer);
    for (const [status, codes] of refusalsOf(route)) responses[status] ??= this.refusal(status, codes);
    responses['default'] = { description: 'Refused', content: this.problem({}) };
    return responses;
  }

  private answer({ description, schema, otherwise = {}, isWritten }: AnswerDescription): Response {
    const json: Content = schema ? { [JSON_TYPE]: { schema: this.schemas.ofOutput(schema) } } : {};
    return {
      description,
      ...(isWritten && { headers: referTo('Reveille-Position') }),
      content: Object.entries(otherwise).reduce(
        (types, [type, about]) => ({ ...types, [type]: { schema: { type: 'string', description: about } } }),
        json,
      ),
    };
  }

  /** One response for all routes that refuse for the same reasons. */
  private refusal(status: number, codes: readonly ErrorCode[]): { $ref: string } {
    const name = codes.join('.');
    const header = headerOf(status, codes);
    this.responses[name] ??= {
      description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code]}`).join('\n\n'),
      ...(header && { headers: referTo(header) }),
      content: this.problem({ status: { const: status }, code: { enum: codes } }),
    };
    return { $ref: `#/components/responses/${name}` };
  }

  private problem(properties: Record<string, JsonSchema>): Content {
    const problem = this.schemas.ofOutput(problemSchema);
    const schema = Object.keys(properties).length === 0 ? problem : { allOf: [problem, { properties }] };
    return { [PROBLEM_TYPE]: { schema } };
  }
}

function headerOf(status: number, codes: readonly ErrorCode[]): keyof typeof headers | undefined {
  if (status === 401) return 'WWW-Authenticate';
  return codes.every((code) => retryAfterSec(code) !== null) ? 'Retry-After' : undefined;
}

/** The role that is needed, or that of an agent. OpenAPI 3.1 lets any kind of security name roles. */
function securityOf({ access, agents }: RouteDescription): Operation['security'] {
  if (access === 'open') return [];
  return [{ token: [access] }, ...(agents ? [{ token: ['agent'] }] : [])];
}

function referTo(header: keyof typeof headers): Record<string, { $ref: string }> {
  return { [header]: { $ref: `#/components/headers/${header}` } };
}
