import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OpenApiDocument, Operation } from '../../../src/openapi/openapi-document';
import { ApiContract } from '../../support/api-contract';
import { startTestServer } from '../../support/server';
import { temporaryFolder } from '../../support/temporary-folder';

const validator = join(
  __dirname,
  ...[
    '..',
    '..',
    '..',
    'node_modules',
    '@seriousme',
    'openapi-schema-validator',
    'bin',
    'validate-api-cli.js',
  ],
);

let server: Awaited<ReturnType<typeof startTestServer>>;
let document: OpenApiDocument;
let operations: { route: string; operation: Operation }[];

beforeAll(async () => {
  server = await startTestServer();
  const answer = await server.api<OpenApiDocument>('GET', '/openapi.json', undefined, {
    authorization: undefined,
  });
  document = answer.body;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
      operation,
    })),
  );
});
afterAll(() => server.close());

describe('/openapi.json', () => {
  test('is a valid OpenAPI 3.1 document', async () => {
    const file = join(temporaryFolder(), 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    const { stdout } = await promisify(execFile)(process.execPath, [validator, file]);
    expect(stdout).toContain('"valid": true');
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  test('describes every route that is served, and no other: a new one needs a description beside its controller', () => {
    // Whoever can GET can HEAD: Fastify sees to that.
    const served = server.routes.filter((route) => !/^(HEAD|OPTIONS) /.test(route));
    const described = operations.map(({ route }) => route);
    expect(served.length).toBeGreaterThan(25);
    expect({ notDescribed: served.filter((route) => !described.includes(route)) }).toEqual({
      notDescribed: [],
    });
    expect({ notServed: described.filter((route) => !served.includes(route)) }).toEqual({ notServed: [] });
  });

  test('gives generators what they name things by', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z][A-Za-z]+$/.test(id))).toEqual([]);
    const chapters = document.tags.map(({ name }) => name);
    for (const { operation } of operations) {
      expect(operation.tags.filter((tag) => !chapters.includes(tag))).toEqual([]);
      expect(operation.summary).toMatch(/^[A-Z]/);
      const silent = (operation.parameters ?? []).filter(({ description }) => !description);
      expect(silent.map(({ name }) => `${operation.operationId} ${name}`)).toEqual([]);
    }
  });

  test('names every field that a query may have', () => {
    const parametersOf = (id: string) =>
      operations
        .find(({ operation }) => operation.operationId === id)!
        .operation.parameters!.map(({ name, in: place }) => `${place} ${name}`);
    expect(parametersOf('readRunLog')).toEqual([
      'path runId',
      ...['query stream', 'query offset', 'query limitBytes', 'query waitFor'],
    ]);
    expect(parametersOf('patchAgent')).toEqual(['path agentId', 'header If-Match']);
    expect(parametersOf('wakeAgent')).toEqual(['path agentId', 'header Idempotency-Key']);
  });

  test('every request body has an example that its schema takes', () => {
    const contract = new ApiContract(document);
    const examples = Object.entries(document.components.schemas).flatMap(([name, schema]) =>
      ((schema['examples'] ?? []) as unknown[]).map((example) => [name, schema, example] as const),
    );
    for (const [name, schema, example] of examples) {
      expect({ name, wrong: contract.wrongBy(schema, example) }).toEqual({ name, wrong: [] });
    }
    const withExample = new Set(examples.map(([name]) => name));
    const bodies = operations.flatMap(({ operation }) => Object.values(operation.requestBody?.content ?? {}));
    const names = bodies.map(({ schema }) => String(schema['$ref']).split('/').at(-1)!);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !withExample.has(name))).toEqual([]);
  });

  test('has generators make no field one that must be sent, only because it has a default', () => {
    const withDefault = Object.entries(document.components.schemas).flatMap(([name, { properties = {} }]) =>
      Object.entries(properties as Record<string, object>)
        .filter(([, schema]) => 'default' in schema)
        .map(([field]) => `${name}.${field}`),
    );
    expect(withDefault).toEqual([]);
    const { properties } = document.components.schemas['AgentRequest'] as {
      properties: Record<string, { description?: string }>;
    };
    expect(properties['requiresApproval']!.description).toMatch(/By default false$/);
  });

  test('says who needs a token, as the server does', async () => {
    for (const { route, operation } of operations) {
      const [method, path] = route.split(' ') as [string, string];
      const { status } = await server.api(method, path, undefined, { authorization: undefined });
      const isOpen = operation.security?.length === 0;
      expect({ route, isRefused: status === 401 }).toEqual({ route, isRefused: !isOpen });
    }
  });
});

describe('/docs', () => {
  let page: string;
  let policy: string;

  beforeAll(async () => {
    const answer = await server.api<string>('GET', '/docs', undefined, { authorization: undefined });
    page = answer.body;
    policy = answer.headers['content-security-policy'] as string;
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
  });

  test('asks no other host, and runs nothing', () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son\w+=/i);
    expect(page.match(/(?:src|href)="(?!#)[^"]*"/g)).toEqual(['href="/openapi.json"']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
  });

  test('its style is the one that its policy allows', () => {
    const [, style] = /<style>(.*?)<\/style>/s.exec(page)!;
    expect(policy).toContain(`'sha256-${createHash('sha256').update(style!).digest('base64')}'`);
    expect(page).not.toMatch(/\sstyle="/);
  });

  test('tells of every operation, schema and live event, and its links lead somewhere', () => {
    const ids = new Set([...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id));
    const wanted = [
      ...operations.map(({ operation }) => operation.operationId),
      ...Object.keys(document.components.schemas).map((name) => `schema-${name}`),
      ...Object.keys(document['x-live-events']).map((type) => `live-${type}`),
    ];
    expect(wanted.filter((id) => !ids.has(id))).toEqual([]);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((id) => !ids.has(id))).toEqual([]);
  });

  test('shows how to ask with curl', () => {
    const [, example] = /<pre>(curl -sS -X POST[^<]*\/v1\/agents\/[^<]*\/wakeups[^<]*)<\/pre>/.exec(page)!;
    expect(example).toContain('Authorization: Bearer $REVEILLE_TOKEN');
    expect(example).toContain('Content-Type: application/json');
  });
});

describe('a request that is no HTTP is answered with a problem document', () => {
  test.each([
    [
      'a header that is too large',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
      431,
      'headers_too_large',
    ],
    ['garbage', 'hello\r\n\r\n', 400, 'bad_request'],
    ['no Host', 'GET /health/live HTTP/1.1\r\n\r\n', 400, 'bad_request'],
  ])('%s', async (_what, request, status, code) => {
    const answer = await exchange(request);
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head.toLowerCase()).toContain('content-type: application/problem+json');
    const problem: unknown = JSON.parse(body);
    expect(problem).toMatchObject({ status, code });
    const schema = { $ref: '#/components/schemas/Problem' };
    expect(new ApiContract(document).wrongBy(schema, problem)).toEqual([]);
  });

  function exchange(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1', () => socket.write(text));
      let received = '';
      socket.on('data', (part) => {
        received += part.toString();
        // A connection that goes on is left by whoever has the whole answer.
        if (/\r\n\r\n.*\}$/s.test(received)) socket.end();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(received));
    });
  }
});

test('none of this was an error of the server', () => {
  expect(server.errors).toEqual([]);
});
