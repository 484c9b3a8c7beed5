import { createHash } from 'node:crypto';
import { meaningOf, schemaAnchor, schemaTable, typeOf } from './docs-schema';
import { docsStyle } from './docs-style';
import { Html, html, inline, prose } from './html';
import type { JsonSchema, OpenApiDocument, Operation, Parameter, Response } from './openapi-document';

/** Nothing is loaded, run or sent: the page is text, and one style that is known by its hash. */
export const docsPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(docsStyle).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** In one piece: a blank more, and the hash is of something else. */
const styleElement = new Html(`<style>${docsStyle}</style>`);

interface Place {
  method: string;
  path: string;
  operation: Operation;
}

/** The document as a page for people. */
export function docsPage(document: OpenApiDocument): string {
  const { info, tags, paths } = document;
  const places = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]): Place => ({ method, path, operation })),
  );
  const chapters = tags.map((tag) => ({
    ...tag,
    places: places.filter(({ operation }) => operation.tags.includes(tag.name)),
  }));
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${info.title} ${info.version}: the API</title>
        ${styleElement}
      </head>
      <body>
        <a class="skip" href="#content">Skip to the content</a>
        <nav aria-label="Contents">
          <p><strong>${info.title}</strong> ${info.version}<br /><a href="/openapi.json">openapi.json</a></p>
          ${chapters.map(chapterLinks)}
          <p><a href="#live">Live events</a><br /><a href="#schemas">Schemas</a></p>
        </nav>
        <main id="content">
          <h1>${info.title}: the API</h1>
          ${prose(info.description)}
          ${chapters.map(({ name, description, places }) => [
            html`<h2 id="tag-${name}">${name}</h2>
              <p>${inline(description)}</p>`,
            ...places.map((place) => operationSection(place, document)),
          ])}
          ${liveSection(document)}
          <h2 id="schemas">Schemas</h2>
          ${Object.entries(document.components.schemas).map(([name, schema]) => schemaSection(name, schema))}
        </main>
      </body>
    </html> `.text;
}

function chapterLinks({ name, places }: { name: string; places: readonly Place[] }): Html {
  const links = places.map(
    ({ operation }) => html`<li><a href="#${operation.operationId}">${operation.operationId}</a></li>`,
  );
  return html`<p>
      <a href="#tag-${name}"><strong>${name}</strong></a>
    </p>
    <ul>
      ${links}
    </ul>`;
}

function operationSection({ method, path, operation }: Place, document: OpenApiDocument): Html {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const [bodyType, body] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  return html` <section aria-labelledby="${operationId}">
    <h3 id="${operationId}"><a href="#${operationId}">${inline(summary)}</a></h3>
    <p>
      <code><span class="method">${method.toUpperCase()}</span> ${path}</code>
    </p>
    ${prose(description)}
    <p class="faint">${neededToken(operation)}</p>
    ${parameters.length === 0 ? null : parameterTable(parameters)}
    ${
      body && bodyType
        ? html`<h4>Body</h4>
            <p>${typeOf(body.schema)} <span class="faint">${bodyType}</span></p>`
        : null
    }
    <h4>Answers</h4>
    <table>
      <tbody>
        ${Object.entries(responses).map(([status, response]) => responseRow(status, resolved(response, document)))}
      </tbody>
    </table>
    <details>
      <summary>With curl</summary>
      <pre>${curl({ method, path, operation }, document)}</pre>
    </details>
  </section>`;
}

function neededToken({ security = [] }: Operation): Html {
  if (security.length === 0) return html`Needs no token.`;
  const roles = security.flatMap(({ token = [] }) => token);
  return html`For: ${roles.map((role, at) => html`${at > 0 ? ', ' : null}<code>${role}</code>`)}`;
}

function parameterTable(parameters: readonly Parameter[]): Html {
  const rows = parameters.map(
    (parameter) =>
      html`<tr>
        <td><code>${parameter.name}</code></td>
        <td>${parameter.in}${parameter.required ? null : html` <span class="faint">optional</span>`}</td>
        <td>${typeOf(parameter.schema)}</td>
        <td>${meaningOf({ ...parameter.schema, description: parameter.description })}</td>
      </tr>`,
  );
  return html`<h4>Parameters</h4>
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">In</th>
          <th scope="col">Type</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function responseRow(status: string, { description, content = {} }: Response): Html {
  const isRefusal = 'application/problem+json' in content;
  const forms = Object.entries(content).map(
    ([type, { schema }]) => html`<br />${typeOf(schema)} <span class="faint">${type}</span>`,
  );
  return html`<tr>
    <td><code>${status}</code></td>
    <td>${prose(description)}${isRefusal ? null : forms}</td>
  </tr>`;
}

function resolved(response: Operation['responses'][string], { components }: OpenApiDocument): Response {
  return '$ref' in response ? components.responses[response.$ref.split('/').at(-1)!]! : response;
}

function curl({ method, path, operation }: Place, document: OpenApiDocument): string {
  const [bodyType, body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const example = body && exampleOf(body.schema, document);
  return [
    `curl -sS${method === 'get' ? '' : ` -X ${method.toUpperCase()}`} "$REVEILLE_URL${path.replace(/\{(\w+)\}/g, '$$$1')}"`,
    operation.security?.length === 0 ? null : '-H "Authorization: Bearer $REVEILLE_TOKEN"',
    example === undefined ? null : `-H 'Content-Type: ${bodyType}'`,
    example === undefined ? null : `-d '${JSON.stringify(example)}'`,
  ]
    .filter((line) => line !== null)
    .join(' \\\n  ');
}

function exampleOf(schema: JsonSchema, document: OpenApiDocument): unknown {
  const { components } = document;
  const { $ref, examples } = schema;
  if (typeof $ref === 'string') return exampleOf(components.schemas[$ref.split('/').at(-1)!]!, document);
  return (examples as unknown[] | undefined)?.[0];
}

function liveSection({ 'x-live-events': events }: OpenApiDocument): Html {
  return html`<h2 id="live">Live events</h2>
    <p>
      What the socket (<code>/live</code>) and the feed tell:
      <code>{cursor, position, companyId, type, at, payload}</code>. These are the payloads, by type.
    </p>
    ${Object.entries(events).map(
      ([type, schema]) =>
        html`<section aria-labelledby="live-${type}">
          <h3 id="live-${type}"><code>${type}</code></h3>
          ${prose(schema['description'] as string | undefined)}
          <details>
            <summary>Payload</summary>
            ${schemaTable(schema)}
          </details>
        </section>`,
    )}`;
}

function schemaSection(name: string, schema: JsonSchema): Html {
  const anchor = schemaAnchor(name);
  return html`<section aria-labelledby="${anchor}">
    <h3 id="${anchor}"><a href="#${anchor}">${name}</a></h3>
    ${prose(schema['description'] as string | undefined)}${schemaTable(schema)}
  </section>`;
}
