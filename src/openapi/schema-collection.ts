import { z } from 'zod';
import { documentedAs } from '../http/schemas';
import { canonicalJson } from '../kernel/canonical-json';
import type { JsonSchema } from './openapi-document';

const LOCAL = '#/$defs/';
const SHARED = '#/components/schemas/';

/** Turns Zod schemas into JSON Schemas; those with an id of their own are collected, and referred to. */
export class SchemaCollection {
  private readonly shared = new Map<string, JsonSchema>();

  /** What a client sends. */
  ofInput(schema: z.ZodType): JsonSchema {
    return this.collect(toJsonSchema(schema, 'input'));
  }

  /** What a client gets. It may grow: a client must not mind a field that it doesn't know. */
  ofOutput(schema: z.ZodType): JsonSchema {
    return this.collect(toJsonSchema(schema, 'output'));
  }

  /** By id, in the order of the ids. */
  all(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.shared].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private collect({ $defs = {}, ...root }: JsonSchema): JsonSchema {
    for (const [id, schema] of Object.entries($defs as Record<string, JsonSchema>)) {
      const shared = withSharedReferences(schema) as JsonSchema;
      const before = this.shared.get(id);
      if (before && canonicalJson(before) !== canonicalJson(shared)) {
        throw new Error(`two schemas are called ${id}, or it is different in requests and in answers`);
      }
      this.shared.set(id, shared);
    }
    return withSharedReferences(root) as JsonSchema;
  }
}

function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const said = documentedAs.get(zodSchema);
      if (said) replaceBy(jsonSchema, said);
      // Zod leaves them out where the schema also changes what it takes.
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (Array.isArray(examples)) jsonSchema.examples = examples;
      if (!said && io === 'input') sayDefault(jsonSchema);
      tidy(jsonSchema, io);
    },
  });
  return json;
}

function replaceBy(jsonSchema: JsonSchema, said: JsonSchema): void {
  for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
  Object.assign(jsonSchema, said);
}

/**
 * Says in words what is taken where a field is left out: client generators make a field with a `default` one that must
 * be sent (openapi-typescript among them).
 */
function sayDefault(jsonSchema: JsonSchema): void {
  const { default: byDefault, description } = jsonSchema;
  delete jsonSchema['default'];
  // An empty object stands for the defaults of its own fields.
  if (byDefault === undefined || JSON.stringify(byDefault) === '{}') return;
  const said = `By default ${JSON.stringify(byDefault)}`;
  jsonSchema['description'] = typeof description === 'string' ? `${description}. ${said}` : said;
}

/** Leaves out what says nothing, and what would forbid an answer to grow. */
function tidy(jsonSchema: JsonSchema, io: 'input' | 'output'): void {
  if (jsonSchema['format'] !== undefined) delete jsonSchema['pattern'];
  if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum'];
  if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum'];
  if (io === 'output' && jsonSchema['additionalProperties'] === false)
    delete jsonSchema['additionalProperties'];
}

function withSharedReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSharedReferences);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string'
        ? inner.replace(LOCAL, SHARED)
        : withSharedReferences(inner),
    ]),
  );
}
