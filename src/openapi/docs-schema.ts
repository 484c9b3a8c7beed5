import type { Html } from './html';
import { html, inline } from './html';
import type { JsonSchema } from './openapi-document';

/** A schema's fields as a table; what is no object, in one line. */
export function schemaTable(schema: JsonSchema): Html {
  const { properties, required = [] } = schema as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  if (!properties) return html`<p>${typeOf(schema)}</p>`;
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Field</th>
        <th scope="col">Type</th>
        <th scope="col">Meaning</th>
      </tr>
    </thead>
    <tbody>
      ${Object.entries(properties).map(([name, property]) => fieldRow(name, property, required.includes(name)))}
    </tbody>
  </table>`;
}

function fieldRow(name: string, schema: JsonSchema, isRequired: boolean): Html {
  return html`<tr>
    <td><code>${name}</code>${isRequired ? null : html` <span class="faint">optional</span>`}</td>
    <td>${typeOf(schema)}</td>
    <td>${meaningOf(schema)}</td>
  </tr>`;
}

/** What a schema says beside its type. */
export function meaningOf(schema: JsonSchema): Html {
  const { description, minimum, maximum, minLength, maxLength, default: byDefault } = schema;
  const says = [
    typeof description === 'string' ? inline(description) : null,
    rangeOf(minimum, maximum, ''),
    rangeOf(minLength, maxLength, ' characters'),
    byDefault === undefined ? null : html`Default: <code>${JSON.stringify(byDefault)}</code>`,
  ].filter((part) => part !== null);
  return html`${says.map((part, index) => (index === 0 ? part : html`<br />${part}`))}`;
}

function rangeOf(least: unknown, most: unknown, unit: string): Html | null {
  if (typeof most === 'number') return html`${typeof least === 'number' ? least : ''} … ${most}${unit}`;
  return typeof least === 'number' && least !== 0 ? html`at least ${least}${unit}` : null;
}

/** A schema's type in a few words, with links to what it is made of. */
export function typeOf(schema: JsonSchema): Html {
  const { $ref, anyOf, allOf, oneOf, type, items, format, properties } = schema;
  if (typeof $ref === 'string') return linkTo($ref);
  if (Array.isArray(schema['enum'])) {
    const values = (schema['enum'] as unknown[]).map((value) => html`<code>${JSON.stringify(value)}</code>`);
    return joined(values, ' | ');
  }
  if ('const' in schema) return html`<code>${JSON.stringify(schema['const'])}</code>`;
  const parts = (anyOf ?? oneOf) as JsonSchema[] | undefined;
  if (parts) return joined(parts.map(typeOf), ' | ');
  if (allOf) return joined((allOf as JsonSchema[]).map(typeOf), ' & ');
  if (type === 'array') return html`array of ${typeOf((items ?? {}) as JsonSchema)}`;
  if (type === 'object' && properties) return html`object ${schemaTable(schema)}`;
  const name = Array.isArray(type) ? type.join(' | ') : typeof type === 'string' ? type : 'any JSON';
  return html`${name}${typeof format === 'string' ? html` <span class="faint">(${format})</span>` : null}`;
}

export function schemaAnchor(name: string): string {
  return `schema-${name}`;
}

function linkTo(reference: string): Html {
  const name = reference.split('/').at(-1)!;
  return html`<a href="#${schemaAnchor(name)}">${name}</a>`;
}

function joined(parts: readonly Html[], separator: string): Html {
  return html`${parts.map((part, index) => (index === 0 ? part : html`${separator}${part}`))}`;
}
