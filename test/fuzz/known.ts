import type { JsonSchema, OpenApiDocument } from '../../src/openapi/openapi-document';
import type { Dice } from '../support/dice';

const MAX_KNOWN = 300;
/** Most asked for is what has come last: that is what still goes on. */
const NEWEST = 6;

/**
 * What answers have shown to exist, by the name of the parameter that takes it: the `id` of an `Agent` is an `agentId`,
 * a thing that has a `name` and no `id` is found by that, a `nextCursor` is a `cursor`.
 */
export class Known {
  private readonly values = new Map<string, string[]>();
  private readonly kept = new Set<string>();
  private readonly kinds: string[];

  constructor(private readonly document: OpenApiDocument) {
    const inPaths = Object.keys(document.paths).flatMap((path) => path.match(/\{\w+Id\}/g) ?? []);
    this.kinds = [...new Set(inPaths.map((name) => name.slice(1, -'Id}'.length)))];
  }

  add(name: string, value: string): void {
    const values = this.values.get(name) ?? [];
    if (this.kept.has(value) || values.includes(value)) return;
    values.push(value);
    if (values.length > MAX_KNOWN) values.shift();
    this.values.set(name, values);
  }

  /** Is never named in a request: the campaign itself lives by it. */
  keep(value: string): void {
    this.kept.add(value);
  }

  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  /** undefined where none is known. */
  pick(name: string, dice: Dice): string | undefined {
    const values = this.all(name);
    if (values.length === 0) return undefined;
    return dice.oneOf(dice.upTo(2) === 0 ? values.slice(-NEWEST) : values);
  }

  /** The name of an id of another kind. */
  otherKind(name: string, dice: Dice): string {
    return `${dice.oneOf(this.kinds.filter((kind) => `${kind}Id` !== name))}Id`;
  }

  /** Looks for all that can be named in further requests. @param schema of the answer */
  learn(body: unknown, schema: JsonSchema, component = ''): void {
    const { $ref } = schema;
    if (typeof $ref === 'string') {
      const name = $ref.split('/').at(-1)!;
      this.learn(body, this.document.components.schemas[name]!, name);
      return;
    }
    if (typeof body !== 'object' || body === null) return;
    for (const branch of (schema['anyOf'] ?? schema['allOf'] ?? []) as JsonSchema[])
      this.learn(body, branch, component);
    if (Array.isArray(body)) {
      for (const item of body.slice(0, NEWEST))
        this.learn(item, (schema['items'] ?? {}) as JsonSchema, component);
      return;
    }
    const fields = body as Record<string, unknown>;
    this.learnNames(fields, component);
    for (const [name, property] of Object.entries(
      (schema['properties'] ?? {}) as Record<string, JsonSchema>,
    )) {
      this.learn(fields[name], property);
    }
  }

  private learnNames(fields: Record<string, unknown>, component: string): void {
    const { id, name, nextCursor, position, jobId } = fields;
    const kind = this.kinds.find((kind) => component.toLowerCase().endsWith(kind));
    if (typeof id === 'string' && kind !== undefined) this.add(`${kind}Id`, id);
    if (typeof name === 'string' && id === undefined && component !== '') this.add('name', name);
    if (typeof nextCursor === 'string') this.add('cursor', nextCursor);
    if (typeof position === 'string') this.add('position', position);
    if (typeof jobId === 'string') this.add('jobId', jobId);
  }
}
