import type { JsonSchema, OpenApiDocument } from '../../src/openapi/openapi-document';
import type { Dice } from '../support/dice';
import { oddNumber, oddText, oddValue } from './odd-values';

/** What a schema alone cannot say: ids of things that exist, a position on the log, a time zone. */
export type Hint = (field: string, dice: Dice) => unknown;

const DEFAULT_MAX = 1_000;
const DAY_MS = 86_400_000;
/** What is longer is not worth the bytes. */
const MAX_TRIED = 10_000;
/** Tried in turn where a schema has a pattern. */
const patterned = ['1', '0', '*', '"2"', 'a-name', 'note', '2026-01-01', 'x'];

type Limits = Record<
  'minLength' | 'maxLength' | 'minimum' | 'maximum' | 'exclusiveMinimum' | 'maxItems',
  number | undefined
>;

/** Makes values of the schemas of a document: what they take, up to its edges, and what lies just beyond them. */
export class SchemaValues {
  constructor(
    private readonly document: OpenApiDocument,
    private readonly hint: Hint,
  ) {}

  /** The schema itself, without references. */
  resolved(schema: JsonSchema): JsonSchema {
    const { $ref } = schema;
    if (typeof $ref !== 'string') return schema;
    return this.resolved(this.document.components.schemas[$ref.split('/').at(-1)!]!);
  }

  /**
   * @param field what the value is called
   * @param example a value that is taken: what a schema leaves open, such as a command, is mostly as it is there
   */
  valid(given: JsonSchema, dice: Dice, field = '', example?: unknown): unknown {
    const schema = this.resolved(given);
    const hinted: unknown = field === '' ? undefined : this.hint(field, dice);
    if (hinted !== undefined && dice.upTo(10) > 0) return hinted;
    if (example !== undefined && isOpen(schema) && dice.upTo(10) > 0) return example;
    if ('const' in schema) return schema['const'];
    if (Array.isArray(schema['enum'])) return dice.oneOf(schema['enum'] as unknown[]);
    const options = branchesOf(schema);
    if (options) return this.valid(dice.oneOf(options), dice, field, example);
    switch (schema['type']) {
      case 'string':
        return validText(schema, dice);
      case 'integer':
      case 'number':
        return validNumber(schema, dice);
      case 'boolean':
        return dice.upTo(2) === 0;
      case 'null':
        return null;
      case 'array':
        return this.validArray(schema, dice, field);
      case 'object':
        return this.validObject(schema, dice, example);
      default:
        return example ?? oddValue(dice);
    }
  }

  /** A value that the schema does not take, or only just; undefined where nothing is known of it. */
  beyond(given: JsonSchema, dice: Dice): unknown {
    const schema = this.resolved(given);
    const options = branchesOf(schema);
    if (options) return this.beyond(dice.oneOf(options), dice);
    const values = [...beyondLimits(schema), ...beyondType(schema, dice)];
    return values.length === 0 ? undefined : dice.oneOf(values);
  }

  private validArray({ items, minItems = 0 }: JsonSchema, dice: Dice, field: string): unknown[] {
    const length = Math.max(minItems as number, dice.upTo(4));
    return Array.from({ length }, () => this.valid((items ?? {}) as JsonSchema, dice, field));
  }

  private validObject(schema: JsonSchema, dice: Dice, example: unknown): Record<string, unknown> {
    const { properties, required = [], additionalProperties = {} } = schema;
    if (!isRecord(properties)) return this.anyFields(additionalProperties as JsonSchema, dice);
    const shown = isRecord(example) ? example : {};
    const fields = Object.entries(properties as Record<string, JsonSchema>).flatMap(([name, property]) => {
      const isNeeded = (required as string[]).includes(name);
      const isLeftOut = !isNeeded && dice.upTo(10) >= (name in shown ? 5 : 3);
      return isLeftOut ? [] : [[name, this.valid(property, dice, name, shown[name])] as const];
    });
    return Object.fromEntries(fields);
  }

  /** Under names of no meaning. */
  private anyFields(schema: JsonSchema, dice: Dice): Record<string, unknown> {
    const fields = Array.from({ length: dice.upTo(3) }, () => [`k${dice.upTo(5)}`, this.valid(schema, dice)]);
    return Object.fromEntries(fields) as Record<string, unknown>;
  }
}

function branchesOf(schema: JsonSchema): JsonSchema[] | undefined {
  return (schema['anyOf'] ?? schema['oneOf'] ?? schema['allOf']) as JsonSchema[] | undefined;
}

function beyondLimits(schema: JsonSchema): unknown[] {
  const { minLength, maxLength, minimum, maximum, exclusiveMinimum, maxItems } = schema as Limits;
  const values: unknown[] = [];
  if (minLength) values.push('x'.repeat(minLength - 1));
  if (maxLength !== undefined && maxLength <= MAX_TRIED)
    values.push('x'.repeat(maxLength + 1), '😀'.repeat(maxLength));
  if (minimum !== undefined) values.push(minimum - 1, minimum - 0.5, minimum + 0.5);
  if (exclusiveMinimum !== undefined) values.push(exclusiveMinimum);
  if (maximum !== undefined) values.push(maximum + 1, maximum + 0.5);
  if (maxItems !== undefined && maxItems <= MAX_TRIED)
    values.push(Array.from({ length: maxItems + 1 }, () => ({})));
  return values;
}

function beyondType({ type, enum: choices }: JsonSchema, dice: Dice): unknown[] {
  if (Array.isArray(choices)) return [`${choices[0]} `, String(choices[0]).toUpperCase()];
  if (type === 'integer') return [0.1, 2 ** 53, '1', oddNumber(dice)];
  if (type === 'string') return [7, oddText(dice), oddText(dice)];
  return type === 'boolean' ? ['true', 1, 0] : [];
}

/** Whether a schema says nothing of what its values mean. */
function isOpen(schema: JsonSchema): boolean {
  const saysMore = ['const', 'enum', 'anyOf', 'oneOf', 'allOf', 'properties', 'pattern', 'format', 'minimum'];
  return (
    !['boolean', 'integer', 'number'].includes(String(schema['type'])) &&
    saysMore.every((key) => !(key in schema))
  );
}

function validText(schema: JsonSchema, dice: Dice): string {
  const {
    format,
    pattern,
    minLength = 0,
    maxLength = DEFAULT_MAX,
  } = schema as {
    format?: string;
    pattern?: string;
    minLength?: number;
    maxLength?: number;
  };
  if (format === 'uuid') return `0189${dice.upTo(10)}000-0000-7000-8000-00000000000${dice.upTo(10)}`;
  if (format === 'date') return day(dice);
  if (format === 'date-time') return instantAround(dice);
  if (pattern !== undefined) {
    const matching = patterned.filter((text) => new RegExp(pattern).test(text));
    return matching.length === 0 ? oddText(dice) : dice.oneOf(matching);
  }
  const length = dice.oneOf([minLength, minLength + 1, 8, 20, Math.min(maxLength, DEFAULT_MAX)]);
  const unit = dice.oneOf(['x', 'ab c', 'é', '漢', '‮x', "'", '\\']);
  return unit.repeat(length).slice(0, Math.min(Math.max(length, minLength), maxLength));
}

function day(dice: Dice): string {
  return dice.oneOf(['2024-02-29', '2025-12-31', '2026-01-01', '1970-01-01', '9999-12-31', '0001-01-01']);
}

/** Mostly near, some at the edges of what a date can be. */
function instantAround(dice: Dice): string {
  const edges = [
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00.000Z',
    '2024-02-29T23:59:59+14:00',
  ];
  if (dice.upTo(4) === 0) return dice.oneOf(edges);
  return new Date(Date.now() + (dice.upTo(20) - 10) * DAY_MS).toISOString();
}

function validNumber(schema: JsonSchema, dice: Dice): number {
  const { minimum, exclusiveMinimum, maximum = Number.MAX_SAFE_INTEGER } = schema as Partial<Limits>;
  const isInteger = schema['type'] === 'integer';
  const least =
    minimum ?? (exclusiveMinimum === undefined ? -10 : exclusiveMinimum + (isInteger ? 1 : 0.001));
  const inner = least + Math.min(dice.upTo(1_000), Math.max(0, maximum - least));
  const choices = [least, Math.min(least + 1, maximum), maximum, inner, inner, inner];
  const chosen = dice.oneOf(choices);
  return isInteger ? Math.trunc(chosen) : chosen;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
