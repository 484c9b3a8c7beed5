import type { JsonSchema } from '../../src/openapi/openapi-document';
import type { Dice } from '../support/dice';
import { oddText, oddValue } from './odd-values';
import type { SchemaValues } from './schema-values';

/** What was done to a body, and what came of it. */
export interface Broken {
  what: string;
  body: Buffer;
}

type Fields = Record<string, unknown>;

/** A body with one thing wrong in it, or nearly so. */
export function brokenBody(valid: unknown, schema: JsonSchema, values: SchemaValues, dice: Dice): Broken {
  const how = dice.upTo(10);
  if (how < 3) return beyondSchema(valid, schema, values, dice);
  if (how < 7) return otherShape(valid, dice);
  return brokenText(JSON.stringify(valid), dice);
}

function beyondSchema(valid: unknown, given: JsonSchema, values: SchemaValues, dice: Dice): Broken {
  const place = placeIn(values.resolved(given), values, dice);
  const beyond = place ? values.beyond(place.schema, dice) : undefined;
  if (!place || beyond === undefined) return otherShape(valid, dice);
  return {
    what: `${place.path.join('.')} beyond its schema`,
    body: json(withValue(valid, place.path, beyond)),
  };
}

interface Place {
  path: string[];
  schema: JsonSchema;
}

/** A property somewhere below a schema. */
function placeIn(schema: JsonSchema, values: SchemaValues, dice: Dice, path: string[] = []): Place | null {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>);
  if (properties.length === 0) return path.length === 0 ? null : { path, schema };
  const [name, property] = dice.oneOf(properties);
  return placeIn(values.resolved(property), values, dice, [...path, name]);
}

/** The same with a value at a path; objects are made on the way. */
function withValue(value: unknown, [name, ...rest]: readonly string[], inner: unknown): unknown {
  if (name === undefined) return inner;
  const fields = isFields(value) ? value : {};
  return { ...fields, [name]: withValue(fields[name], rest, inner) };
}

function otherShape(valid: unknown, dice: Dice): Broken {
  const fields = isFields(valid) ? valid : {};
  const names = Object.keys(fields);
  const name = names.length === 0 ? 'x' : dice.oneOf(names);
  switch (dice.upTo(names.length === 0 ? 2 : 5)) {
    case 0:
      return { what: 'another value instead', body: json(oddValue(dice)) };
    case 1:
      return {
        what: 'one field more',
        body: json(Object.fromEntries([...Object.entries(fields), [oddText(dice), oddValue(dice)]])),
      };
    case 2: {
      const { [name]: _left, ...rest } = fields;
      return { what: `${name} left out`, body: json(rest) };
    }
    default: {
      const path = pathInto(fields, dice);
      return {
        what: `another value at ${path.join('.')}`,
        body: json(replaced(fields, path, oddValue(dice))),
      };
    }
  }
}

/** The way to some value inside, at any depth. */
function pathInto(value: unknown, dice: Dice): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const keys = Object.keys(value);
  if (keys.length === 0) return [];
  const key = dice.oneOf(keys);
  return dice.upTo(3) === 0 ? [key] : [key, ...pathInto((value as Fields)[key], dice)];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], inner: unknown): unknown {
  if (key === undefined) return inner;
  if (Array.isArray(value))
    return value.map((item, index) => (`${index}` === key ? replaced(item, rest, inner) : item));
  const fields = value as Fields;
  return { ...fields, [key]: replaced(fields[key], rest, inner) };
}

/** What is no JSON, or is read as something else than it seems. */
function brokenText(text: string, dice: Dice): Broken {
  const at = dice.upTo(text.length + 1);
  const insert = (bytes: string | Buffer) =>
    Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from(bytes), Buffer.from(text.slice(at))]);
  const [what, body] = dice.oneOf<() => readonly [string, string | Buffer]>([
    () => ['truncated', text.slice(0, at)],
    () => ['invalid UTF-8 in it', insert(Buffer.from([0xc3, 0x28, 0xff]))],
    () => ['invalid UTF-8 in a text', Buffer.from(text.replace(/"(?=[,}\]])/, '\xff\xfe"'), 'latin1')],
    () => ['a NUL in it', insert('\0')],
    () => ['a control character in it', insert('\u0007')],
    () => ['NaN', text.replace(/:\s*("[^"]*"|\d+)/, ': NaN')],
    () => ['a number beyond all numbers', text.replace(/:\s*("[^"]*"|\d+)/, ': 1e400')],
    () => ['a key twice', text.replace(/^\{("[^"]*":)/, '{$1"first",$1')],
    () => ['__proto__ in the text', text.replace(/^\{/, '{"__proto__": {"polluted": true},')],
    () => [
      'constructor.prototype in the text',
      text.replace(/^\{/, '{"constructor": {"prototype": {"polluted": 1}},'),
    ],
    () => ['a lone surrogate, escaped', text.replace(/"([^"]*)"(?=[,}\]])/, '"\\ud800"')],
    () => ['a byte order mark', `\ufeff${text}`],
    () => ['as UTF-16', Buffer.from(text, 'utf16le')],
    () => ['a comma at the end', text.replace(/\}$/, ',}')],
    () => ['single quotes', text.replaceAll('"', "'")],
    () => ['a comment', `/* hello */ ${text}`],
    () => ['twice', `${text}${text}`],
    () => ['only white space', ' \n\t '],
    () => ['null', 'null'],
    () => ['a text', '"text"'],
    () => ['a number', '-0'],
    () => ['an array', `[${text}]`],
    () => ['a JSON text in a text', JSON.stringify(text)],
    () => ['a form', 'name=x&role=admin'],
    () => ['garbage', Buffer.from(Array.from({ length: 50 }, () => dice.upTo(256)))],
  ])();
  return { what, body: typeof body === 'string' ? Buffer.from(body) : body };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value) ?? 'null');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
